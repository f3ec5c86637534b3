// SPDX-License-Identifier: MIT
// How sessions begin, and how they end.
#include "source/pcap/handshake_tracker.h"

#include "gmock/gmock.h"
#include "tests/unit/source/segment_script.h"

namespace sockflow::pcap::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HandshakeTrackerTest : public TrackerTest {};

constexpr std::string_view kOrderly = "0 C S; 1 S SA; 5 C F+50; 6 S F+70";

TEST_F(HandshakeTrackerTest, OrderlyAtTheInitiator) {
  EXPECT_THAT(Run(kClient, kOrderly),
              ElementsAre("0 connect 2 C>S",
                          "6 close 2 C>S from 0 est 1 local-fin FIN_WAIT2 50/70 rtt 1000 fin"));
  EXPECT_EQ(last_.local, script_.client);
  EXPECT_EQ(last_.remote, script_.server);
  EXPECT_EQ(last_.tcp.tcp_header_octets, 32);
  EXPECT_EQ(tracker_->size(), 0u);
  EXPECT_EQ(stats().sessions, 1u);
  EXPECT_EQ(stats().segments, 4u);
}

TEST_F(HandshakeTrackerTest, OrderlyAtTheResponder) {
  // The handshake was done after the SYN+ACK; a later segment proves it.
  EXPECT_THAT(Run(kServer, kOrderly),
              ElementsAre("5 established 3 S<C from 1",
                          "6 close 3 S<C from 1 remote-fin LAST_ACK 70/50 fin"));
  EXPECT_EQ(last_.local, script_.server);
  EXPECT_EQ(last_.remote, script_.client);
  EXPECT_EQ(last_.established, Milliseconds(1));
}

TEST_F(HandshakeTrackerTest, OrderlyAtBoth) {
  EXPECT_THAT(Run(kBoth, kOrderly),
              ElementsAre("0 connect 2 C>S", "5 established 3 S<C from 1",
                          "6 close 2 C>S from 0 est 1 local-fin FIN_WAIT2 50/70 rtt 1000 fin",
                          "6 close 3 S<C from 1 remote-fin LAST_ACK 70/50 fin"));
  EXPECT_EQ(stats().sessions, 1u);
}

TEST_F(HandshakeTrackerTest, ResponderClosesFirst) {
  EXPECT_THAT(Run(kBoth, "0 C S; 1 S SA; 5 S F+70; 6 C F"),
              ElementsAre("0 connect 2 C>S", "5 established 3 S<C from 1",
                          "6 close 2 C>S from 0 est 1 remote-fin LAST_ACK 0/70 rtt 1000 fin",
                          "6 close 3 S<C from 1 local-fin FIN_WAIT2 70/0 fin"));
}

TEST_F(HandshakeTrackerTest, BothCloseAtOnce) {
  // To the kernel each closed first: neither FIN acknowledges the other.
  EXPECT_THAT(Run(kBoth, "0 C S; 1 S SA; 5 C F; 6 S F ack=1"),
              ElementsAre("0 connect 2 C>S", "5 established 3 S<C from 1",
                          "6 close 2 C>S from 0 est 1 local-fin CLOSING 0/0 rtt 1000 fin",
                          "6 close 3 S<C from 1 local-fin CLOSING 0/0 fin"));
}

TEST_F(HandshakeTrackerTest, IdsFollowFromTheFirst) {
  HandshakeTracker::Options options;
  options.first_id = 100;
  Begin(kBoth, std::move(options));
  Send("0 C S; 1 S RA seq=0; 2 C S isn=7000; 3 S SA; 4 C F");
  EXPECT_THAT(Told(), ElementsAre("0 connect 100 C>S",
                                  "1 close 100 C>S from 0 refused SYN_SENT 0/0 error 111",
                                  "2 connect 102 C>S", "4 established 103 S<C from 3"));
}

TEST_F(HandshakeTrackerTest, EstablishedIsToldByTheHost) {
  Begin(kBoth);
  Send("0 C S; 1 S SA");
  tracker_->Established(2, Milliseconds(2), Tell());   // no responder's
  tracker_->Established(5, Milliseconds(2), Tell());   // nobody's
  tracker_->Established(0, Milliseconds(2), Tell());
  EXPECT_THAT(Told(), ElementsAre("0 connect 2 C>S"));
  tracker_->Established(3, Milliseconds(2), Tell());
  tracker_->Established(3, Milliseconds(3), Tell());  // again
  EXPECT_THAT(Told(), ElementsAre("2 established 3 S<C"));
  Send("7 S F; 8 C F");
  EXPECT_THAT(Told(), ElementsAre("8 close 2 C>S from 0 est 1 remote-fin LAST_ACK 0/0 rtt 1000 fin",
                                  "8 close 3 S<C from 2 local-fin FIN_WAIT2 0/0 fin"));
  tracker_->Established(3, Milliseconds(9), Tell());
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(HandshakeTrackerTest, TheHostMayTellBeforeThePackets) {
  Begin(kServer);
  Send("0 C S");
  tracker_->Established(3, Milliseconds(2), Tell());
  Send("1 S SA; 5 C F+3; 6 S F+4");
  EXPECT_THAT(Told(), ElementsAre("2 established 3 S<C",
                                  "6 close 3 S<C from 2 remote-fin LAST_ACK 4/3 fin"));
}

TEST_F(HandshakeTrackerTest, EverySegment) {
  constexpr std::string_view kText =
      "0 C S; 1 S SA; 3 C A; 4 C D/100; 5 S D/300; 6 C F; 7 S F; 9 C A";
  // At the first acknowledgment; the last one is counted too, and the end is the second FIN.
  EXPECT_THAT(Run(kBoth, kText, EverySegment()),
              ElementsAre("0 connect 2 C>S", "3 established 3 S<C",
                          "7 close 2 C>S from 0 est 1 local-fin FIN_WAIT2 100/300 packets 5/3 rtt "
                          "1000 fin",
                          "7 close 3 S<C from 3 remote-fin LAST_ACK 300/100 packets 3/5 rtt 2000 "
                          "fin"));
}

TEST_F(HandshakeTrackerTest, TheLastAcknowledgmentMayBeLost) {
  Begin(kClient, EverySegment());
  Send("0 C S; 1 S SA; 3 C A; 6 C F; 7 S F");
  EXPECT_THAT(Told(), ElementsAre("0 connect 2 C>S"));
  EXPECT_EQ(tracker_->NextDeadline(), Milliseconds(2007));
  tracker_->Expire(Milliseconds(9999), Tell());
  EXPECT_THAT(Told(),
              ElementsAre("7 close 2 C>S from 0 est 1 local-fin FIN_WAIT2 0/0 packets 3/2 rtt "
                          "1000 fin"));
  EXPECT_EQ(tracker_->NextDeadline(), Time::max());
}

TEST_F(HandshakeTrackerTest, Refused) {
  EXPECT_THAT(Run(kBoth, "0 C S; 3 S RA seq=0"),
              ElementsAre("0 connect 2 C>S",
                          "3 close 2 C>S from 0 refused SYN_SENT 0/0 error 111"));
  EXPECT_THAT(Run(kServer, "0 C S; 3 S RA seq=0"), IsEmpty());
  EXPECT_EQ(stats().half_open, 0u);
  EXPECT_EQ(tracker_->size(), 0u);
}

TEST_F(HandshakeTrackerTest, ARefusalHasToAnswerTheSyn) {
  EXPECT_THAT(Run(kClient, "0 C S; 3 S RA ack=0; 4 S R"), ElementsAre("0 connect 2 C>S"));
}

TEST_F(HandshakeTrackerTest, Unanswered) {
  for (const Observed observed : {kClient, kBoth}) {
    Begin(observed);
    Send("0 C S; 1000 C ~S; 3000 C ~S");
    EXPECT_EQ(tracker_->NextDeadline(), Milliseconds(130'000));
    tracker_->Expire(Milliseconds(129'999), Tell());
    EXPECT_THAT(Told(), ElementsAre("0 connect 2 C>S"));
    tracker_->Expire(Milliseconds(131'000), Tell());
    EXPECT_THAT(Told(), ElementsAre("130000 close 2 C>S from 0 timed-out SYN_SENT 0/0 again 2 "
                                    "error 110"));
    Send("130500 S SA");  // too late
    EXPECT_THAT(Told(), IsEmpty());
    EXPECT_EQ(stats().half_open, 0u);
  }
  Begin(kServer);
  Send("0 C S");
  tracker_->Expire(Milliseconds(131'000), Tell());
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_EQ(tracker_->size(), 0u);
}

TEST_F(HandshakeTrackerTest, AResetOfWhatNoSocketAskedFor) {
  // What the kernel of a SYN scanner sends.
  EXPECT_THAT(Run(kServer, "0 C S; 1 S SA; 2 C R"), IsEmpty());
  EXPECT_EQ(stats().half_open, 1u);
  EXPECT_EQ(tracker_->size(), 0u);
  for (const Observed observed : {kClient, kBoth}) {
    EXPECT_THAT(Run(observed, "0 C S; 1 S SA; 2 C R"),
                ElementsAre("0 connect 2 C>S", "2 close 2 C>S from 0 local-reset SYN_SENT 0/0"));
    EXPECT_EQ(stats().half_open, 1u);
  }
}

TEST_F(HandshakeTrackerTest, TheResponderTakesTheSynAckBack) {
  // Its queue overflowed (tcp_abort_on_overflow): the RST answers the acknowledgment.
  EXPECT_THAT(Run(kBoth, "0 C S; 1 S SA; 2 S R"),
              ElementsAre("0 connect 2 C>S",
                          "2 close 2 C>S from 0 est 1 remote-reset ESTABLISHED 0/0 rtt 1000 error "
                          "104"));
  EXPECT_EQ(stats().half_open, 1u);
}

TEST_F(HandshakeTrackerTest, TheResponderIsGoneAfterItsSynAck) {
  // A SYN that comes once more is answered as if there never had been a listener.
  EXPECT_THAT(Run(kBoth, "0 C S; 1 S SA isn=500000; 2 C ~S; 2 S RA seq=-500000"),
              ElementsAre("0 connect 2 C>S",
                          "2 close 2 C>S from 0 est 1 remote-reset ESTABLISHED 0/0 again 1 error 104"));
  EXPECT_EQ(stats().half_open, 1u);
}

TEST_F(HandshakeTrackerTest, WhatAnswersAnotherSynProvesNothing) {
  EXPECT_THAT(Run(kServer, "0 C S; 1 S SA; 2 S F ack=-9; 3 C F ack=-9"), IsEmpty());
  EXPECT_THAT(Run(kServer, "0 C S; 2 S F ack=-9"), IsEmpty());
}

TEST_F(HandshakeTrackerTest, ResetByTheInitiator) {
  EXPECT_THAT(
      Run(kBoth, "0 C S; 1 S SA; 9 C RA+50"),
      ElementsAre("0 connect 2 C>S", "9 established 3 S<C from 1",
                  "9 close 2 C>S from 0 est 1 local-reset ESTABLISHED 50/0 rtt 1000",
                  "9 close 3 S<C from 1 remote-reset ESTABLISHED 0/50 error 104"));
  // Without ACK it is further than the handshake.
  EXPECT_THAT(
      Run(kServer, "0 C S; 1 S SA; 9 C R+50"),
      ElementsAre("9 established 3 S<C from 1",
                  "9 close 3 S<C from 1 remote-reset ESTABLISHED 0/50 error 104"));
  EXPECT_EQ(stats().half_open, 0u);
}

TEST_F(HandshakeTrackerTest, ResetByTheResponder) {
  EXPECT_THAT(
      Run(kBoth, "0 C S; 1 S SA; 9 S RA+7 ack=21"),
      ElementsAre("0 connect 2 C>S", "9 established 3 S<C from 1",
                  "9 close 2 C>S from 0 est 1 remote-reset ESTABLISHED 20/7 rtt 1000 error 104",
                  "9 close 3 S<C from 1 local-reset ESTABLISHED 7/20"));
}

// What the kernel says of its sockets then: see EndCauseOf and tcp_reset().
TEST_F(HandshakeTrackerTest, ResetAfterTheFinOfTheOther) {
  EXPECT_THAT(
      Run(kBoth, "0 C S; 1 S SA; 5 C F+50; 9 S RA"),
      ElementsAre("0 connect 2 C>S", "5 established 3 S<C from 1",
                  "9 close 2 C>S from 0 est 1 remote-reset FIN_WAIT2 50/0 rtt 1000 error 104",
                  "9 close 3 S<C from 1 local-reset CLOSE_WAIT 0/50 fin"));
}

TEST_F(HandshakeTrackerTest, ResetAfterTheOwnFin) {
  // Closed, and then more comes in.
  EXPECT_THAT(
      Run(kBoth, "0 C S; 1 S SA; 5 C F+50; 9 C R"),
      ElementsAre("0 connect 2 C>S", "5 established 3 S<C from 1",
                  "9 close 2 C>S from 0 est 1 local-fin FIN_WAIT2 50/0 rtt 1000",
                  "9 close 3 S<C from 1 remote-reset CLOSE_WAIT 0/50 error 32 fin"));
}

TEST_F(HandshakeTrackerTest, NothingComesAfterBothFins) {
  Begin(kBoth);
  Send(kOrderly);
  Told();
  Send("6 C A; 7 C ~F; 8 S ~F; 9 C R; 10 S RA; 11 C ~S; 12 S ~SA");
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_EQ(stats().unknown_session, 0u);
  EXPECT_EQ(tracker_->size(), 0u);
}

TEST_F(HandshakeTrackerTest, NothingComesAfterBothFinsButTheLastAcknowledgment) {
  Begin(kClient, EverySegment());
  Send("0 C S; 1 S SA; 2 C A; 5 C F; 6 S F; 7 S ~F; 8 C R");
  EXPECT_THAT(Told(), ElementsAre("0 connect 2 C>S",
                                  "6 close 2 C>S from 0 est 1 local-fin FIN_WAIT2 0/0 packets 4/3 "
                                  "rtt 1000 fin"));
}

TEST_F(HandshakeTrackerTest, SynAckWithoutSyn) {
  EXPECT_THAT(Run(kBoth, "1 S SA ack=1; 0 C ~S; 5 C F+50; 6 S F+70"),
              ElementsAre("1 connect 2 C>S", "5 established 3 S<C from 1",
                          "6 close 2 C>S from 1 local-fin FIN_WAIT2 50/70 fin",
                          "6 close 3 S<C from 1 remote-fin LAST_ACK 70/50 fin"))
      << "a SYN that comes late is not one that is sent again";
}

TEST_F(HandshakeTrackerTest, SynWithoutSynAck) {
  // Lost by the capture. Where the responder's direction begins is known from who acknowledges it.
  EXPECT_THAT(Run(kBoth, "0 C S; 5 C F+50 ack=1; 6 S F+70 seq=71"),
              ElementsAre("0 connect 2 C>S", "5 established 3 S<C",
                          "6 close 2 C>S from 0 est 5 local-fin FIN_WAIT2 50/70 rtt 5000 fin",
                          "6 close 3 S<C from 5 remote-fin LAST_ACK 70/50 fin"));
  EXPECT_THAT(Run(kClient, "0 C S; 5 S RA+7 ack=31"),
              ElementsAre("0 connect 2 C>S",
                          "5 close 2 C>S from 0 est 5 remote-reset ESTABLISHED 30/0 rtt 5000 "
                          "error 104"));
}

TEST_F(HandshakeTrackerTest, SessionsThatBeganBeforeAreCountedOnce) {
  EXPECT_THAT(Run(kBoth, "0 C F; 1 S F; 2 C R; 3 S ~F"), IsEmpty());
  EXPECT_EQ(stats().unknown_session, 1u);
  EXPECT_THAT(Run(kBoth, "0 S RA; 1 S RA"), IsEmpty());
  EXPECT_EQ(stats().unknown_session, 1u);
  EXPECT_THAT(Run(kClient, "0 C D/5; 1 S D/6; 60000 C D/7; 170000 C D/8; 280000 S F",
                  EverySegment()),
              IsEmpty());
  EXPECT_EQ(stats().unknown_session, 1u);
  EXPECT_THAT(Run(kBoth, "0 C A"), IsEmpty()) << "may be the last one of a session that is over";
  EXPECT_EQ(stats().unknown_session, 0u);
  EXPECT_EQ(tracker_->size(), 0u);
}

TEST_F(HandshakeTrackerTest, ASessionThatIsOpenAlreadyIsAdopted) {
  Begin(kBoth);
  Adopt(Milliseconds(5));
  EXPECT_THAT(Told(), ElementsAre("5 existing 2 C>S", "5 existing 3 S<C"));
  EXPECT_TRUE(last_.existing);
  Send("8 C F; 9 S F; 10 C A");
  EXPECT_THAT(Told(), ElementsAre("9 close 2 C>S from 5 local-fin FIN_WAIT2 0/0 fin",
                                  "9 close 3 S<C from 5 remote-fin LAST_ACK 0/0 fin"));
  EXPECT_TRUE(last_.existing);
  EXPECT_EQ(stats().unknown_session, 0u);

  Begin(kServer, EverySegment());
  Adopt(Milliseconds(5));
  Send("6 C D/5; 7 S D/7; 8 C R");
  EXPECT_THAT(Told(), ElementsAre("5 existing 3 S<C",
                                  "8 close 3 S<C from 5 remote-reset ESTABLISHED 7/5 packets 1/2 error 104"));
}

TEST_F(HandshakeTrackerTest, WhatSegmentsToldOfIsNotAdopted) {
  Begin(kBoth);
  Send("0 C S; 1 S SA; 2 C F");
  Told();
  Adopt(Milliseconds(5));
  EXPECT_THAT(Told(), IsEmpty());
  Send("6 S F");
  EXPECT_EQ(Told().size(), 2u);
  Adopt(Milliseconds(7));
  EXPECT_THAT(Told(), IsEmpty()) << "it is over";
  Begin(Observed{});
  Adopt(Milliseconds(7));
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_EQ(tracker_->size(), 0u);
}

TEST_F(HandshakeTrackerTest, ANewSessionAfterOneThatBeganBefore) {
  EXPECT_THAT(Run(kClient, "0 C F; 1 C S; 2 S SA"), ElementsAre("1 connect 2 C>S"));
  EXPECT_THAT(Run(kClient, "0 C F; 1 S SA ack=1"), ElementsAre("1 connect 2 C>S"));
  EXPECT_EQ(tracker_->size(), 1u);
}

TEST_F(HandshakeTrackerTest, SessionsOfOthers) {
  Begin(Observed{}, EverySegment());
  Send("0 C S; 1 C ~S; 1 S SA; 2 C A; 3 C D/9; 4 C F; 5 S F; 6 C A; 20000 C D/9; 200000 C F");
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_EQ(stats().not_ours, 1u);
  EXPECT_EQ(stats().sessions, 0u);
  EXPECT_EQ(stats().unknown_session, 0u);
  EXPECT_EQ(tracker_->size(), 0u);
  Send("200001 C S isn=77");
  EXPECT_EQ(stats().not_ours, 2u);
}

TEST_F(HandshakeTrackerTest, PortReuseAfterTheEnd) {
  Begin(kClient);
  Send(kOrderly);
  Told();
  Send("7 C S isn=90000; 8 S SA isn=91000; 9 S F; 10 C F");
  EXPECT_THAT(Told(), ElementsAre("7 connect 4 C>S",
                                  "10 close 4 C>S from 7 est 8 remote-fin LAST_ACK 0/0 rtt 1000 "
                                  "fin"));
}

TEST_F(HandshakeTrackerTest, PortReuseWithoutAnEnd) {
  EXPECT_THAT(
      Run(kBoth, "0 C S; 1 S SA; 2 C F; 7 C S isn=90000; 8 S RA seq=0"),
      ElementsAre("0 connect 2 C>S", "2 established 3 S<C from 1",
                  "7 close 2 C>S from 0 est 1 not-seen FIN_WAIT2 0/0 rtt 1000",
                  "7 close 3 S<C from 1 not-seen CLOSE_WAIT 0/0 fin", "7 connect 4 C>S",
                  "8 close 4 C>S from 7 refused SYN_SENT 0/0 error 111"));
  // Of one whose handshake nobody saw done.
  EXPECT_THAT(Run(kServer, "0 C S; 1 S SA; 7 C S isn=90000; 8 S RA seq=0"), IsEmpty());
  EXPECT_EQ(stats().half_open, 1u);
  // The other way round.
  EXPECT_THAT(Run(kClient, "0 C S; 1 S SA; 7 S S isn=90000; 8 C SA isn=91000; 9 S F"),
              ElementsAre("0 connect 2 C>S",
                          "7 close 2 C>S from 0 est 1 not-seen ESTABLISHED 0/0 rtt 1000",
                          "9 established 5 C<S from 8"));
}

TEST_F(HandshakeTrackerTest, TheResponderStillHasAnOlderSession) {
  // RFC 9293 3.5.1, figure 9: it tells what it expects, is reset, and the SYN comes once more.
  constexpr std::string_view kText =
      "0 C S; 1 S A seq=700000000 ack=-400000000; 2 C R seq=-400000000; 1000 C ~S; 1001 S SA; "
      "1002 C A; 1003 C F+50; 1004 S F+70";
  EXPECT_THAT(Run(kBoth, kText),
              ElementsAre("0 connect 2 C>S", "1002 established 3 S<C",
                          "1004 close 2 C>S from 0 est 1001 local-fin FIN_WAIT2 50/70 again 1 fin",
                          "1004 close 3 S<C from 1002 remote-fin LAST_ACK 70/50 rtt 1000 fin"));
  Begin(kClient, EverySegment());
  Send(kText);
  tracker_->Finish(Milliseconds(2000), Tell());
  EXPECT_THAT(Told(), ElementsAre("0 connect 2 C>S",
                                  "1004 close 2 C>S from 0 est 1001 local-fin FIN_WAIT2 50/70 "
                                  "packets 5/3 again 1 fin"));
  // It has none any more, but the SYN is not seen again.
  EXPECT_THAT(Run(kServer, "0 C S; 1 S A seq=9 ack=-400000000; 2 C R seq=-400000000"), IsEmpty());
}

TEST_F(HandshakeTrackerTest, SimultaneousOpen) {
  // RFC 9293 figure 8. tcp_connect() was called on both: both are active, as the eBPF tiers tell.
  constexpr std::string_view kText = "0 C S; 1 S S; 2 C SA; 3 S SA; 5 C F+50; 6 S F+70";
  EXPECT_THAT(Run(kBoth, kText),
              ElementsAre("0 connect 2 C>S", "1 connect 3 S>C",
                          "6 close 2 C>S from 0 est 3 local-fin FIN_WAIT2 50/70 rtt 3000 fin",
                          "6 close 3 S>C from 1 est 2 remote-fin LAST_ACK 70/50 rtt 1000 fin"));
  EXPECT_EQ(stats().sessions, 1u);
  EXPECT_THAT(Run(kServer, kText),
              ElementsAre("1 connect 3 S>C",
                          "6 close 3 S>C from 1 est 2 remote-fin LAST_ACK 70/50 rtt 1000 fin"));
  // There is no handshake of a responder that the host could tell of.
  Begin(kBoth);
  Send("0 C S; 1 S S");
  tracker_->Established(3, Milliseconds(2), Tell());
  Send("3 C RA");
  EXPECT_THAT(Told(), ElementsAre("0 connect 2 C>S", "1 connect 3 S>C",
                                  "3 close 2 C>S from 0 est 3 local-reset ESTABLISHED 0/0 rtt 3000",
                                  "3 close 3 S>C from 1 est 3 remote-reset ESTABLISHED 0/0 rtt 2000 error 104"));
  // The second SYN was not seen.
  EXPECT_THAT(Run(kBoth, "0 C S; 2 C SA ack=1; 3 S SA; 6 C RA"),
              ElementsAre("0 connect 2 C>S", "2 connect 3 S>C",
                          "6 close 2 C>S from 0 est 3 local-reset ESTABLISHED 0/0 rtt 3000",
                          "6 close 3 S>C from 2 remote-reset ESTABLISHED 0/0 error 104"));
}

TEST_F(HandshakeTrackerTest, ConnectedToItself) {
  // One socket, and one session: what it sends it receives.
  Begin(kBoth);
  script_.server = script_.client;
  Send("0 C S; 0 C SA ack=-3999; 3 C F+50 ack=-3999; 4 C ~F");
  EXPECT_EQ(last_.local, script_.client);
  EXPECT_EQ(last_.remote, script_.client);
  EXPECT_THAT(Told(), ElementsAre("0 connect 2 C>C",
                                  "3 close 2 C>C from 0 local-fin CLOSING 50/50 fin"));
  Send("20000 C S isn=5; 20001 C RA ack=-4994");
  EXPECT_THAT(Told(), ElementsAre("20000 connect 4 C>C",
                                  "20001 close 4 C>C from 20000 est 20001 local-reset ESTABLISHED "
                                  "0/0 rtt 1000"));
}

TEST_F(HandshakeTrackerTest, NonsenseIsNothing) {
  EXPECT_THAT(Run(kBoth, "0 C 3; 0 C 6; 0 C 1; 0 C 0; 0 C 41; 0 C 63"), IsEmpty());
  EXPECT_EQ(stats().unknown_session, 0u);
  EXPECT_EQ(tracker_->size(), 0u);
  EXPECT_THAT(Run(kClient, "0 C S; 1 S SA; 2 C 1; 3 S 3; 4 S 41"), ElementsAre("0 connect 2 C>S"));
}

TEST_F(HandshakeTrackerTest, Ipv6) {
  Begin(kBoth);
  script_.client = Make("2001:db8::1", 1000);
  script_.server = Make("2001:db8::2", 80);
  Send(kOrderly);
  EXPECT_EQ(Told().size(), 4u);
  EXPECT_EQ(last_.local, script_.server);
}

TEST_F(HandshakeTrackerTest, TheCaptureEnds) {
  Begin(kBoth);
  Send("0 C S; 1 S SA; 2 C F");
  script_.client.port = 1001;
  Send("3 C S; 4 S SA");
  script_.client.port = 1002;
  Send("5 C S");
  script_.client.port = 1003;
  Send("5 C S; 6 S SA; 7 S ~SA");
  Told();
  tracker_->Finish(Milliseconds(9), Tell());
  // Who repeats its SYN+ACK did not get the acknowledgment.
  EXPECT_THAT(Told(),
              ElementsAre("9 close 2 C>S from 0 est 1 capture-ended FIN_WAIT2 0/0 rtt 1000",
                          "9 close 3 S<C from 1 capture-ended CLOSE_WAIT 0/0 fin",
                          "9 established 5 S<C from 4",
                          "9 close 4 C>S from 3 est 4 capture-ended ESTABLISHED 0/0 rtt 1000",
                          "9 close 5 S<C from 4 capture-ended ESTABLISHED 0/0",
                          "9 close 6 C>S from 5 capture-ended SYN_SENT 0/0",
                          "9 close 8 C>S from 5 est 6 capture-ended ESTABLISHED 0/0 rtt 1000"));
  EXPECT_EQ(tracker_->size(), 0u);
  EXPECT_EQ(tracker_->NextDeadline(), Time::max());
  EXPECT_EQ(stats().half_open, 1u);
}

}  // namespace
}  // namespace sockflow::pcap::testing

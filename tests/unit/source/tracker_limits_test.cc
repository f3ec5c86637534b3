// SPDX-License-Identifier: MIT
// What sessions carried, and what bounds them: sequence numbers, interfaces, timeouts, memory.
#include "gmock/gmock.h"
#include "tests/unit/source/segment_script.h"

namespace sockflow::pcap::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Options = HandshakeTracker::Options;

class TrackerLimitsTest : public TrackerTest {
 protected:
  void Expire(int64_t at) { tracker_->Expire(Milliseconds(at), Tell()); }
  // Another client from now on, as it was at first.
  void NextClient() {
    const uint16_t port = script_.client.port + 1;
    script_ = Script();
    script_.client.port = port;
  }
};

TEST_F(TrackerLimitsTest, OctetsAcrossTheEndOfTheSequenceNumbers) {
  EXPECT_THAT(Run(kClient, "0 C S isn=4294967290; 1 S SA isn=4294967295; 5 C F+50; 6 S F+70"),
              ElementsAre("0 connect 2 C>S",
                          "6 close 2 C>S from 0 est 1 local-fin FIN_WAIT2 50/70 rtt 1000 fin"));
}

TEST_F(TrackerLimitsTest, GigabytesThatWereNotSeen) {
  EXPECT_THAT(Run(kClient, "0 C S; 1 S SA; 5 C F+4200000000; 6 S F+3000000000"),
              ElementsAre("0 connect 2 C>S",
                          "6 close 2 C>S from 0 est 1 local-fin FIN_WAIT2 4200000000/3000000000 "
                          "rtt 1000 fin"));
  // What was acknowledged, where the other end is not seen.
  EXPECT_THAT(Run(kClient, "0 C S; 1 S SA; 5 C RA+4000000000 ack=3000000001"),
              ElementsAre("0 connect 2 C>S",
                          "5 close 2 C>S from 0 est 1 local-reset ESTABLISHED "
                          "4000000000/3000000000 rtt 1000"));
}

TEST_F(TrackerLimitsTest, FinKnowsBetter) {
  EXPECT_THAT(Run(kClient, "0 C S; 1 S SA; 5 S F ack=1001; 6 C F+50"),
              ElementsAre("0 connect 2 C>S",
                          "6 close 2 C>S from 0 est 1 remote-fin LAST_ACK 50/0 rtt 1000 fin"));
}

TEST_F(TrackerLimitsTest, MoreThanSequenceNumbersCanTell) {
  Begin(kClient, EverySegment());
  Send("0 C S; 1 S SA; 2 C A");
  for (int i = 0; i < 6; ++i) Send("3 S D/1000000000; 3 C A");
  Send("4 C F; 5 S F; 6 C A");
  EXPECT_THAT(Told(), ElementsAre("0 connect 2 C>S",
                                  "5 close 2 C>S from 0 est 1 local-fin FIN_WAIT2 0/6000000000 "
                                  "packets 10/8 rtt 1000 fin"));
}

TEST_F(TrackerLimitsTest, OneDirectionIsNotSeen) {
  Begin(kClient, EverySegment());
  Send("0 C S; 2 C A ack=1");
  for (int i = 0; i < 6; ++i) Send("3 C D/1000000000 ack=1");
  Send("4 C RA ack=1");
  EXPECT_EQ(last_.tcp.octets_sent, 6'000'000'000u);
}

TEST_F(TrackerLimitsTest, PayloadOfTheLastSegments) {
  EXPECT_THAT(Run(kClient, "0 C S; 1 S SA; 5 C F/50; 6 S F/70"),
              ElementsAre("0 connect 2 C>S",
                          "6 close 2 C>S from 0 est 1 local-fin FIN_WAIT2 50/70 rtt 1000 fin"));
}

TEST_F(TrackerLimitsTest, FastOpen) {
  // RFC 7413: payload in the SYN counts where the SYN+ACK takes it.
  EXPECT_THAT(Run(kBoth, "0 C S/5; 1 S SA; 2 S RA"),
              ElementsAre("0 connect 2 C>S", "2 established 3 S<C from 1",
                          "2 close 2 C>S from 0 est 1 remote-reset ESTABLISHED 5/0 rtt 1000 error "
                          "104",
                          "2 close 3 S<C from 1 local-reset ESTABLISHED 0/5"));
  EXPECT_THAT(Run(kClient, "0 C S/5; 1 S SA ack=1; 2 S RA ack=1"),
              ElementsAre("0 connect 2 C>S",
                          "2 close 2 C>S from 0 est 1 remote-reset ESTABLISHED 0/0 rtt 1000 error "
                          "104"));
  EXPECT_THAT(Run(kClient, "0 C S/5; 1 S RA seq=0"),
              ElementsAre("0 connect 2 C>S",
                          "1 close 2 C>S from 0 refused SYN_SENT 0/0 error 111"));
  EXPECT_THAT(Run(kClient, "0 C S/5; 1 S SA; 2 C F+10; 3 S F"),
              ElementsAre("0 connect 2 C>S",
                          "3 close 2 C>S from 0 est 1 local-fin FIN_WAIT2 15/0 rtt 1000 fin"));
}

TEST_F(TrackerLimitsTest, WhatIsKnownWithoutFin) {
  EXPECT_THAT(Run(kClient, "0 C S; 1 S SA; 2 C A; 3 C D/10; 4 S D/20; 5 C D/30; 6 S A ack=61; 7 S "
                           "R",
                  EverySegment()),
              ElementsAre("0 connect 2 C>S",
                          "7 close 2 C>S from 0 est 1 remote-reset ESTABLISHED 60/20 packets 4/4 "
                          "rtt 1000 error 104"))
      << "20 octets more were acknowledged than were seen";
}

TEST_F(TrackerLimitsTest, AcknowledgmentsTellWhatWasSentBefore) {
  Begin(kClient, EverySegment());
  Send("0 C S; 1 S SA; 2 C A; 3 C A+30; 4 S A ack=1");
  tracker_->Finish(Milliseconds(5), Tell());
  EXPECT_THAT(Told(), ElementsAre("0 connect 2 C>S",
                                  "5 close 2 C>S from 0 est 1 capture-ended ESTABLISHED 30/0 "
                                  "packets 3/2 rtt 1000"));
}

TEST_F(TrackerLimitsTest, ResetsWithoutASequenceNumber) {
  EXPECT_THAT(Run(kClient, "0 C S; 1 S SA; 2 C F+9; 3 S RA seq=-5000"),
              ElementsAre("0 connect 2 C>S",
                          "3 close 2 C>S from 0 est 1 remote-reset FIN_WAIT2 9/0 rtt 1000 error "
                          "104"));
  EXPECT_THAT(Run(kClient, "0 C S; 1 S SA isn=500000; 2 C F+9; 3 S RA seq=-500000"),
              ElementsAre("0 connect 2 C>S",
                          "3 close 2 C>S from 0 est 1 remote-reset FIN_WAIT2 9/0 rtt 1000 "
                          "error 104"));
  // Nor one that lies before the session.
  EXPECT_THAT(Run(kClient, "0 C S; 1 S SA; 2 C F+9; 3 S RA seq=-10"),
              ElementsAre("0 connect 2 C>S",
                          "3 close 2 C>S from 0 est 1 remote-reset FIN_WAIT2 9/0 rtt 1000 error "
                          "104"));
}

TEST_F(TrackerLimitsTest, BlindResetsAndFins) {
  Begin(kClient, EverySegment());
  Send("0 C S; 1 S SA; 2 C A; 3 S D/100; 4 S R seq=2000000000; 4 S F seq=-2000000000");
  EXPECT_THAT(Told(), ElementsAre("0 connect 2 C>S")) << "too far from what was seen";
  Send("5 S R seq=1000000");
  EXPECT_THAT(Told(), ElementsAre("5 close 2 C>S from 0 est 1 remote-reset ESTABLISHED 0/999999 "
                                  "packets 2/5 rtt 1000 error 104"))
      << "packets may have been lost";
}

TEST_F(TrackerLimitsTest, Retransmissions) {
  EXPECT_THAT(Run(kBoth, "0 C S; 1 C ~S; 2 S SA; 3 S ~SA; 5 C F; 6 C ~F; 7 S F"),
              ElementsAre("0 connect 2 C>S", "5 established 3 S<C from 2",
                          "7 close 2 C>S from 0 est 2 local-fin FIN_WAIT2 0/0 again 2 fin",
                          "7 close 3 S<C from 2 remote-fin LAST_ACK 0/0 again 1 fin"))
      << "and no round-trip time (Karn)";
  EXPECT_THAT(Run(kBoth,
                  "0 C S; 1 S SA; 2 C A; 3 C D/10; 4 C ~D/10; 5 C ~D/5; 6 C D/10; 7 C F; 8 C ~F; "
                  "9 S F; 9 C A",
                  EverySegment()),
              ElementsAre("0 connect 2 C>S", "2 established 3 S<C",
                          "9 close 2 C>S from 0 est 1 local-fin FIN_WAIT2 20/0 packets 9/2 again 3 "
                          "rtt 1000 fin",
                          "9 close 3 S<C from 2 remote-fin LAST_ACK 0/20 packets 2/9 rtt 1000 "
                          "fin"));
}

TEST_F(TrackerLimitsTest, EachPacketOnTwoInterfaces) {
  constexpr std::string_view kText =
      "0 C S if=1; 0 C ~S if=2; 1 S SA if=2; 1 S ~SA if=1; 2 C A if=1; 2 C A if=2; 3 C D/10 if=1; "
      "3 C ~D/10 if=2; 4 C F if=1; 4 C ~F if=2; 5 S F if=2; 5 S ~F if=1; 6 C A if=1; 6 C A if=2";
  EXPECT_THAT(Run(kBoth, kText, EverySegment()),
              ElementsAre("0 connect 2 C>S", "2 established 3 S<C",
                          "5 close 2 C>S from 0 est 1 local-fin FIN_WAIT2 10/0 packets 5/2 rtt "
                          "1000 fin",
                          "5 close 3 S<C from 2 remote-fin LAST_ACK 0/10 packets 2/5 rtt 1000 "
                          "fin"));
}

TEST_F(TrackerLimitsTest, HeaderOfTheSession) {
  Begin(kClient);
  Send("0 C S hdr=40; 1 S SA hdr=36");
  tracker_->Finish(Milliseconds(2), Tell());
  EXPECT_EQ(last_.tcp.tcp_header_octets, 36);
  Begin(kClient);
  Send("0 C S; 1 S SA; 2 S RA hdr=20");
  EXPECT_EQ(last_.tcp.tcp_header_octets, 20);
  Begin(kClient, EverySegment());
  Send("0 C S; 1 S SA; 2 C A hdr=32; 3 C A hdr=44; 4 S R hdr=20");
  EXPECT_EQ(last_.tcp.tcp_header_octets, 32);
}

TEST_F(TrackerLimitsTest, TimesThatRunBackwards) {
  EXPECT_THAT(Run(kBoth, "10 C S; 9 S SA; 8 C F; 7 S F"),
              ElementsAre("10 connect 2 C>S", "10 established 3 S<C",
                          "10 close 2 C>S local-fin FIN_WAIT2 0/0 fin",
                          "10 close 3 S<C remote-fin LAST_ACK 0/0 fin"));
}

TEST_F(TrackerLimitsTest, TimesAtTheEndOfTime) {
  Begin(kBoth);
  Send("9223372036854 C S");
  EXPECT_EQ(tracker_->NextDeadline(), Time::max());
  Send("9223372036854 S SA");
  NextClient();
  Send("-9223372036854 C S; 9223372036854 S SA; 9223372036854 C F");
  Told();
  tracker_->Expire(Time::max(), Tell());
  EXPECT_EQ(tracker_->size(), 0u);
}

TEST_F(TrackerLimitsTest, AnswerThatIsNeverTaken) {
  for (const bool every : {false, true}) {
    Begin(kBoth, every ? EverySegment() : Options());
    Send("0 C S; 10 S SA; 1000 S ~SA");
    EXPECT_EQ(tracker_->NextDeadline(), Milliseconds(130'010));
    Expire(130'010);
    const std::vector<std::string> told = Told();
    ASSERT_EQ(told.size(), 2u);
    EXPECT_TRUE(told[1].starts_with(
        "130010 close 2 C>S from 0 est 10 timed-out ESTABLISHED 0/0"));
    EXPECT_EQ(last_.tcp.error, 110);
    EXPECT_EQ(stats().half_open, 1u);
    EXPECT_EQ(tracker_->size(), 0u);
  }
}

TEST_F(TrackerLimitsTest, SilenceAfterTheAnswer) {
  // With all segments an acknowledgment would have been seen.
  Begin(kServer, EverySegment());
  Send("0 C S; 10 S SA");
  Expire(200'000);
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_EQ(stats().half_open, 1u);
  // Without, the SYN+ACK that is not repeated says that it was acknowledged; such a session may be
  // long.
  Begin(kServer);
  Send("0 C S; 10 S SA");
  Expire(130'009);
  EXPECT_THAT(Told(), IsEmpty());
  Expire(130'010);
  EXPECT_THAT(Told(), ElementsAre("130010 established 3 S<C from 10"));
  EXPECT_EQ(tracker_->NextDeadline(), Time::max());
  Send("9000000 C F; 9000001 S F");
  EXPECT_THAT(Told(), ElementsAre("9000001 close 3 S<C from 10 remote-fin LAST_ACK 0/0 fin"));
  EXPECT_EQ(stats().half_open, 0u);
}

TEST_F(TrackerLimitsTest, TheInitiatorNeedsNoProofOfItsOwnSession) {
  Begin(kClient);
  Send("0 C S; 10 S SA");
  EXPECT_EQ(tracker_->NextDeadline(), Time::max());
}

TEST_F(TrackerLimitsTest, TheHostIsAskedWhetherItIsOver) {
  bool open = true;
  std::vector<std::string> asked;
  Options options;
  options.still_open = [&](const Endpoint& local, const Endpoint& remote) {
    asked.push_back(ToString(local) + " " + ToString(remote));
    return open;
  };
  const auto begin = [&](Observed observed, std::string_view text) {
    asked.clear();
    Begin(observed, options);
    Send(text);
    Told();
  };
  open = true;
  begin(kClient, "0 C S");
  Expire(130'000);
  EXPECT_THAT(asked, ElementsAre("10.0.0.1:1000 10.0.0.2:80"));
  EXPECT_EQ(tracker_->NextDeadline(), Milliseconds(260'000));
  open = false;
  Expire(260'000);
  EXPECT_THAT(Told(), ElementsAre("260000 close 2 C>S from 0 timed-out SYN_SENT 0/0 error 110"));

  open = true;
  begin(kServer, "0 C S; 10 S SA; 1010 S ~SA");
  Expire(130'010);
  EXPECT_THAT(asked, ElementsAre("10.0.0.2:80 10.0.0.1:1000"));
  EXPECT_THAT(Told(), ElementsAre("130010 established 3 S<C from 10"));
  open = false;
  begin(kBoth, "0 C S; 10 S SA");
  Expire(130'010);
  EXPECT_EQ(asked.size(), 2u);
  EXPECT_THAT(Told(), ElementsAre("130010 close 2 C>S from 0 est 10 not-seen ESTABLISHED 0/0 rtt "
                                  "10000"));
  EXPECT_EQ(stats().half_open, 1u);

  open = true;
  begin(kBoth, "0 C S; 10 S SA; 20 C F");
  Expire(120'020);
  EXPECT_THAT(Told(), IsEmpty());
  open = false;
  Expire(240'020);
  EXPECT_THAT(Told(),
              ElementsAre("240020 close 2 C>S from 0 est 10 not-seen FIN_WAIT2 0/0 rtt 10000",
                          "240020 close 3 S<C from 10 not-seen CLOSE_WAIT 0/0 fin"));
  open = true;
  begin(kClient, "0 C S; 10 S SA");
  Expire(3'600'010);
  EXPECT_THAT(Told(), IsEmpty());
  open = false;
  Expire(7'200'010);
  EXPECT_THAT(Told(), ElementsAre("7200010 close 2 C>S from 0 est 10 not-seen ESTABLISHED 0/0 rtt "
                                  "10000"));
}

TEST_F(TrackerLimitsTest, AHostThatAlwaysSaysYesHoldsUpNothing) {
  Options options;
  options.still_open = [](const Endpoint&, const Endpoint&) { return true; };
  Begin(kBoth, std::move(options));
  Send("0 C S; 10 S SA; 20 C F");
  tracker_->Expire(Time::max(), Tell());
  EXPECT_EQ(tracker_->size(), 1u);
}

TEST_F(TrackerLimitsTest, IdleWithEverySegment) {
  Begin(kClient, EverySegment());
  Send("0 C S; 10 S SA; 20 C A; 60000 C D/5");
  EXPECT_EQ(tracker_->NextDeadline(), Milliseconds(3'660'000));
  Send("70000 C F; 100000 S D/5");
  EXPECT_EQ(tracker_->NextDeadline(), Milliseconds(220'000)) << "half closed, and goes on";
  Told();
  Expire(220'000);
  EXPECT_THAT(Told(), ElementsAre("220000 close 2 C>S from 0 est 10 not-seen FIN_WAIT2 5/5 "
                                  "packets 4/2 rtt 10000"));
}

TEST_F(TrackerLimitsTest, EvictsTheLeastValuable) {
  Options options;
  options.max_sessions = 4;
  Begin(kClient, options);
  Send("0 C S; 1 S SA");
  NextClient();
  Send("2 C S; 3 S SA; 4 C F");
  NextClient();
  Send("5 C S");
  NextClient();
  Send("6 C S; 7 S SA");
  EXPECT_EQ(tracker_->size(), 4u);
  Told();
  NextClient();
  Send("8 C S");
  EXPECT_THAT(Told(), ElementsAre("8 close 6 C>S from 5 not-seen SYN_SENT 0/0",
                                  "8 connect 10 C>S"));
  Send("9 S SA");
  NextClient();
  Send("10 C S; 11 S SA");
  EXPECT_THAT(Told(), ElementsAre("10 close 4 C>S from 2 est 3 not-seen FIN_WAIT2 0/0 rtt 1000",
                                  "10 connect 12 C>S"));
  NextClient();
  Send("12 C S");
  EXPECT_THAT(Told(), ElementsAre("12 close 2 C>S from 0 est 1 not-seen ESTABLISHED 0/0 rtt 1000",
                                  "12 connect 14 C>S"));
  EXPECT_EQ(stats().evicted, 3u);
  EXPECT_EQ(tracker_->size(), 4u);
}

TEST_F(TrackerLimitsTest, ASynFloodLeavesEstablishedSessions) {
  Options options;
  options.max_sessions = 100;
  Begin(kServer, options);
  for (int i = 0; i < 60; ++i) {
    Send("0 C S; 1 S SA");
    tracker_->Established(static_cast<SessionId>(2 + 2 * i + 1), Milliseconds(2), Tell());
    NextClient();
  }
  EXPECT_EQ(Told().size(), 60u);
  for (int i = 0; i < 5000; ++i) {
    Send("3 C S; 3 S SA");
    NextClient();
  }
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_EQ(tracker_->size(), 100u);
  EXPECT_EQ(stats().evicted, 4960u);
  tracker_->Finish(Milliseconds(5), Tell());
  EXPECT_EQ(stats().sessions, 5060u);
}

TEST_F(TrackerLimitsTest, MemoryOfStrangersIsBounded) {
  Options options;
  options.max_sessions = 3;
  Begin(kClient, options);
  for (int i = 0; i < 5; ++i) {
    Send("0 C F");
    NextClient();
  }
  EXPECT_EQ(stats().unknown_session, 5u);
  Send("0 C F");
  script_.client.port = 1000;
  Send("0 C F");
  EXPECT_EQ(stats().unknown_session, 7u) << "the oldest is forgotten";
  script_.client.port = 1005;
  Send("0 C F");
  EXPECT_EQ(stats().unknown_session, 7u);
  EXPECT_EQ(tracker_->size(), 0u);
}

}  // namespace
}  // namespace sockflow::pcap::testing

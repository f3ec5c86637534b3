// SPDX-License-Identifier: MIT
// What the kernel's records are read as, and joined to.

#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "source/pcap/owners/traced_sockets.h"
#include "source/pcap/owners/tracepoint_format.h"

namespace sockflow::pcap {
namespace {

using ::testing::HasSubstr;

// As Linux 6.18 describes it; `protocol` had one octet up to 5.10.
constexpr char kFormat[] = R"(name: inet_sock_set_state
ID: 2287
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:const void * skaddr;	offset:8;	size:8;	signed:0;
	field:int oldstate;	offset:16;	size:4;	signed:1;
	field:int newstate;	offset:20;	size:4;	signed:1;
	field:__u16 sport;	offset:24;	size:2;	signed:0;
	field:__u16 dport;	offset:26;	size:2;	signed:0;
	field:__u16 family;	offset:28;	size:2;	signed:0;
	field:__u16 protocol;	offset:30;	size:2;	signed:0;
	field:__u8 saddr[4];	offset:32;	size:4;	signed:0;
	field:__u8 daddr[4];	offset:36;	size:4;	signed:0;
	field:__u8 saddr_v6[16];	offset:40;	size:16;	signed:0;
	field:__u8 daddr_v6[16];	offset:56;	size:16;	signed:0;

print fmt: "family=%s protocol=%s sport=%hu", REC->family, REC->protocol, REC->sport
)";

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, from.size(), to);
}

std::vector<uint8_t> SocketRecord() {
  std::vector<uint8_t> record(72);
  const auto put = [&](size_t at, auto value) { std::memcpy(record.data() + at, &value, sizeof(value)); };
  put(8, uint64_t{0xffff888001234500});
  put(16, int32_t{7});
  put(20, int32_t{2});
  put(24, uint16_t{40'000});
  put(26, uint16_t{443});
  put(30, uint16_t{6});
  const uint8_t local[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
  const uint8_t remote[] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
  std::memcpy(record.data() + 40, local, 16);
  std::memcpy(record.data() + 56, remote, 16);
  return record;
}

TEST(TracepointFormatTest, FieldsAreFound) {
  const auto layout = ParseSocketStateFormat(kFormat);
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(layout->id, 2287);
  StateChange change;
  ASSERT_TRUE(ReadSocketState(*layout, SocketRecord(), change));
  EXPECT_EQ(change.socket, 0xffff888001234500);
  EXPECT_EQ(change.from, TcpState::kClose);
  EXPECT_EQ(change.to, TcpState::kSynSent);
  EXPECT_EQ(ToString(change.local), "192.0.2.1:40000");
  EXPECT_EQ(ToString(change.remote), "[2001:db8::9]:443");
}

TEST(TracepointFormatTest, ProtocolOfOneOctet) {
  const auto layout = ParseSocketStateFormat(
      Replaced(kFormat, "__u16 protocol;	offset:30;	size:2", "__u8 protocol;	offset:30;	size:1"));
  ASSERT_TRUE(layout.ok()) << layout.status();
  StateChange change;
  std::vector<uint8_t> record = SocketRecord();
  EXPECT_TRUE(ReadSocketState(*layout, record, change));
  record[30] = 132;  // SCTP
  EXPECT_FALSE(ReadSocketState(*layout, record, change));
}

TEST(TracepointFormatTest, FaultsAreNamed) {
  const auto message = [](const std::string& text) {
    return std::string(ParseSocketStateFormat(text).status().message());
  };
  EXPECT_THAT(message(""), HasSubstr("no ID"));
  EXPECT_THAT(message(Replaced(kFormat, "skaddr", "socket")), HasSubstr("no field skaddr"));
  EXPECT_THAT(message(Replaced(kFormat, "offset:16;	size:4", "offset:16;	size:3")), HasSubstr("oldstate has 3"));
  EXPECT_THAT(message(Replaced(kFormat, "offset:40;	size:16", "offset:40;	size:4")), HasSubstr("saddr_v6"));
  EXPECT_THAT(message(Replaced(kFormat, "offset:24", "offset:5000")), HasSubstr("sport"));
}

TEST(TracepointFormatTest, ShortRecordsAreRefused) {
  const auto layout = ParseSocketStateFormat(kFormat);
  ASSERT_TRUE(layout.ok());
  const std::vector<uint8_t> record = SocketRecord();
  StateChange change;
  for (size_t length = 0; length < record.size(); ++length) {
    EXPECT_FALSE(ReadSocketState(*layout, std::span(record).first(length), change)) << length;
  }
}

// Fields of a perf record, one after another.
class PerfRecord {
 public:
  PerfRecord(uint32_t type, uint16_t misc) {
    Put(type);
    Put(misc);
    Put(uint16_t{0});
  }
  template <typename T>
  PerfRecord& Put(T value) {
    const auto* octets = reinterpret_cast<const uint8_t*>(&value);
    octets_.insert(octets_.end(), octets, octets + sizeof(value));
    return *this;
  }
  PerfRecord& Put(const std::vector<uint8_t>& octets) {
    octets_.insert(octets_.end(), octets.begin(), octets.end());
    return *this;
  }
  const std::vector<uint8_t>& octets() const { return octets_; }

 private:
  std::vector<uint8_t> octets_;
};

TEST(KernelRecordTest, EachKind) {
  const auto layout = ParseSocketStateFormat(kFormat);
  ASSERT_TRUE(layout.ok());
  KernelRecord record;
  const std::vector<uint8_t> name = {'s', 'h', 0, 0, 0, 0, 0, 0};
  const PerfRecord rename = PerfRecord(3, 1 << 13).Put(7U).Put(8U).Put(name).Put(7U).Put(8U).Put(uint64_t{55});
  ASSERT_TRUE(ReadKernelRecord(*layout, rename.octets(), record));
  EXPECT_EQ(std::get<TaskRename>(record.what).name.view(), "sh");
  EXPECT_EQ(std::get<TaskRename>(record.what).thread_id, 8);
  EXPECT_TRUE(std::get<TaskRename>(record.what).exec);
  EXPECT_EQ(record.at.time_since_epoch().count(), 55);

  const PerfRecord start = PerfRecord(7, 0).Put(7U).Put(1U).Put(9U).Put(2U).Put(uint64_t{56});
  ASSERT_TRUE(ReadKernelRecord(*layout, start.octets(), record));
  EXPECT_EQ(std::get<TaskStart>(record.what).parent_pid, 1);
  EXPECT_EQ(std::get<TaskStart>(record.what).thread_id, 9);
  EXPECT_EQ(std::get<TaskStart>(record.what).parent_thread_id, 2);

  const PerfRecord end = PerfRecord(4, 0).Put(7U).Put(1U).Put(9U).Put(2U).Put(uint64_t{57});
  ASSERT_TRUE(ReadKernelRecord(*layout, end.octets(), record));
  EXPECT_EQ(std::get<TaskEnd>(record.what).thread_id, 9);

  const PerfRecord lost = PerfRecord(2, 0).Put(uint64_t{1}).Put(uint64_t{33}).Put(7U).Put(7U).Put(uint64_t{58});
  ASSERT_TRUE(ReadKernelRecord(*layout, lost.octets(), record));
  EXPECT_EQ(std::get<RecordsLost>(record.what).count, 33);

  const PerfRecord sample = PerfRecord(9, 0).Put(7U).Put(8U).Put(uint64_t{59}).Put(72U).Put(SocketRecord());
  ASSERT_TRUE(ReadKernelRecord(*layout, sample.octets(), record));
  EXPECT_EQ(std::get<StateChange>(record.what).pid, 7);
  EXPECT_EQ(std::get<StateChange>(record.what).local.port, 40'000);

  for (const PerfRecord& whole : {rename, start, end, lost, sample}) {
    EXPECT_FALSE(ReadKernelRecord(*layout, std::span(whole.octets()).first(20), record));
  }
  EXPECT_FALSE(ReadKernelRecord(*layout, PerfRecord(1, 0).Put(uint64_t{1}).octets(), record));
}

Time At(int ms) { return Time(std::chrono::seconds(1'000) + std::chrono::milliseconds(ms)); }

Endpoint Parse(const char* address, uint16_t port) { return {*IpAddress::Parse(address), port}; }

class TracedSocketsTest : public ::testing::Test {
 protected:
  std::optional<SocketEnds> Apply(uint32_t pid, uint64_t socket, TcpState from, TcpState to, uint16_t port, int at) {
    return sockets_.Apply({.pid = pid,
                           .thread_id = pid,
                           .socket = socket,
                           .from = from,
                           .to = to,
                           .local = Parse("192.0.2.1", port),
                           .remote = Parse("192.0.2.9", 80)},
                          At(at), [this](const SocketEnds&) { return watched_; });
  }
  std::optional<SocketEnds> Connect(uint32_t pid, uint64_t socket, int at, uint16_t port = 0) {
    return Apply(pid, socket, TcpState::kClose, TcpState::kSynSent, port, at);
  }
  std::optional<SocketEnds> Answer(uint64_t socket, uint16_t port, int at, TcpState to = TcpState::kEstablished) {
    return Apply(1, socket, TcpState::kSynSent, to, port, at);
  }
  uint32_t Caller(uint16_t port, int at) {
    const Connected* connected = sockets_.FindConnected(EndsWith(port), At(at));
    return connected == nullptr ? 0 : connected->caller.process.pid;
  }
  static SocketEnds EndsWith(uint16_t port) { return {Parse("192.0.2.1", port), Parse("192.0.2.9", 80)}; }

  bool watched_ = false;
  Network network_ = Network::kOurs;
  ProcessTable processes_{
      [this](uint32_t pid) -> std::optional<ProcessFacts> {
        return ProcessFacts{.process = {.pid = pid}, .network = network_};
      },
      [](uint32_t, uint32_t) -> std::optional<TaskName> { return std::nullopt; }};
  TracedSockets sockets_{processes_};
};

TEST_F(TracedSocketsTest, CallerAndPortAreJoined) {
  EXPECT_EQ(Connect(7, 0xa, 0), std::nullopt);
  EXPECT_EQ(Connect(8, 0xb, 1), std::nullopt);
  EXPECT_EQ(Answer(0xb, 2000, 100), EndsWith(2000));
  EXPECT_EQ(Answer(0xa, 1000, 100, TcpState::kClose), EndsWith(1000));
  EXPECT_EQ(Caller(1000, 50), 7);
  EXPECT_EQ(Caller(2000, 50), 8);
  EXPECT_FALSE(sockets_.FindConnected(EndsWith(1000), At(50))->established);
  EXPECT_TRUE(sockets_.FindConnected(EndsWith(2000), At(50))->established);
}

TEST_F(TracedSocketsTest, RecordsOutOfOrder) {
  EXPECT_EQ(Answer(0xa, 1000, 2), std::nullopt);
  EXPECT_EQ(Connect(7, 0xa, 1), EndsWith(1000));
  // An answer from before is none.
  EXPECT_EQ(Answer(0xb, 2000, 2), std::nullopt);
  EXPECT_EQ(Connect(8, 0xb, 3), std::nullopt);
}

TEST_F(TracedSocketsTest, SocketAddressesAreUsedAgain) {
  Connect(7, 0xa, 0);
  Answer(0xa, 1000, 1);
  Connect(8, 0xa, 2);
  Answer(0xa, 2000, 3);
  EXPECT_EQ(Caller(1000, 0), 7);
  EXPECT_EQ(Caller(2000, 2), 8);
  EXPECT_EQ(Answer(0xa, 3000, 4), std::nullopt);
}

TEST_F(TracedSocketsTest, AnswerToAnotherPeerIsNotJoined) {
  Connect(7, 0xa, 0);
  StateChange change = {.socket = 0xa,
                        .from = TcpState::kSynSent,
                        .to = TcpState::kEstablished,
                        .local = Parse("192.0.2.1", 1000),
                        .remote = Parse("192.0.2.8", 80)};
  EXPECT_EQ(sockets_.Apply(change, At(1), [](const SocketEnds&) { return false; }), std::nullopt);
}

TEST_F(TracedSocketsTest, EndsAreUsedAgain) {
  Connect(7, 0xa, 0);
  Answer(0xa, 1000, 10);
  // Its first packet lies outside what is known.
  EXPECT_EQ(Caller(1000, 100), 0);
  EXPECT_EQ(Caller(1000, -100), 0);
  // Somebody binds the same port: not even its packet can be the other's.
  Connect(8, 0xb, 11, 1000);
  EXPECT_EQ(Caller(1000, 11), 0);
}

TEST_F(TracedSocketsTest, OtherNetworksAndNobodysTasks) {
  network_ = Network::kOther;
  Connect(7, 0xa, 0);
  EXPECT_EQ(Answer(0xa, 1000, 1), std::nullopt);
  network_ = Network::kOurs;
  Connect(0, 0xb, 0);
  EXPECT_EQ(Answer(0xb, 1000, 1), std::nullopt);
}

// What is known of each caller's network, and whether the one that came first began with bind(): the
// owner must be the one in ours, or nobody.
TEST_F(TracedSocketsTest, SameEndsInTwoNetworks) {
  const auto contested = [&](Network first, Network second, uint32_t second_pid, uint16_t bound) {
    sockets_.Clear();
    processes_.Clear();
    network_ = first;
    Connect(7, 0xa, 0, bound);
    Answer(0xa, 1000, 1);
    network_ = second;
    Connect(second_pid, 0xb, 2, bound);
    Answer(0xb, 1000, 3);
    const Connected* connected = sockets_.FindConnected(EndsWith(1000), At(1));
    return connected == nullptr || connected->contested;
  };
  for (const uint16_t bound : {0, 1000}) {
    EXPECT_TRUE(contested(Network::kUnproven, Network::kUnproven, 8, bound));
    EXPECT_TRUE(contested(Network::kOurs, Network::kUnproven, 8, bound));
    EXPECT_TRUE(contested(Network::kUnproven, Network::kOurs, 8, bound));
    EXPECT_FALSE(contested(Network::kOurs, Network::kOther, 8, bound));
    EXPECT_EQ(Caller(1000, 1), 7);
    EXPECT_FALSE(contested(Network::kOther, Network::kUnproven, 8, bound));
    EXPECT_EQ(Caller(1000, 1), 8);
    // One after another, by a process that was seen to be the same.
    EXPECT_FALSE(contested(Network::kUnproven, Network::kUnproven, 7, bound));
  }
}

TEST_F(TracedSocketsTest, SameEndsAnsweredInTwoNetworks) {
  Apply(3, 0xc, TcpState::kSynRecv, TcpState::kEstablished, 80, 0);
  EXPECT_FALSE(sockets_.FindAnswered(EndsWith(80), At(0))->contested);
  Apply(3, 0xd, TcpState::kSynRecv, TcpState::kEstablished, 80, 1);
  EXPECT_TRUE(sockets_.FindAnswered(EndsWith(80), At(0))->contested);
  network_ = Network::kUnproven;
  EXPECT_EQ(Apply(9, 0xc, TcpState::kCloseWait, TcpState::kLastAck, 80, 2), std::nullopt);
  network_ = Network::kOurs;
  EXPECT_EQ(Apply(8, 0xd, TcpState::kCloseWait, TcpState::kLastAck, 80, 3), EndsWith(80));
  EXPECT_EQ(sockets_.FindAnswered(EndsWith(80), At(0))->closer->process.pid, 8);
}

TEST_F(TracedSocketsTest, CloserInAnotherNetwork) {
  Apply(3, 0xc, TcpState::kSynRecv, TcpState::kEstablished, 80, 0);
  network_ = Network::kOther;
  EXPECT_EQ(Apply(9, 0xd, TcpState::kCloseWait, TcpState::kLastAck, 80, 5), std::nullopt);
  EXPECT_FALSE(sockets_.FindAnswered(EndsWith(80), At(0))->closer);
}

TEST_F(TracedSocketsTest, CloserOfAnAnsweredSession) {
  EXPECT_EQ(Apply(3, 0xc, TcpState::kSynRecv, TcpState::kEstablished, 80, 0), EndsWith(80));
  EXPECT_FALSE(sockets_.FindAnswered(EndsWith(80), At(0))->closer);
  EXPECT_EQ(Apply(9, 0xc, TcpState::kCloseWait, TcpState::kLastAck, 80, 5), EndsWith(80));
  EXPECT_EQ(sockets_.FindAnswered(EndsWith(80), At(0))->closer->process.pid, 9);
  // A RST that came in is handled in anybody's context.
  Apply(3, 0xd, TcpState::kSynRecv, TcpState::kEstablished, 81, 0);
  EXPECT_EQ(Apply(9, 0xd, TcpState::kEstablished, TcpState::kClose, 81, 5), std::nullopt);
  EXPECT_FALSE(sockets_.FindAnswered(EndsWith(81), At(0))->closer);
}

TEST_F(TracedSocketsTest, CloserOfASessionFromLongAgo) {
  EXPECT_EQ(Apply(9, 0xc, TcpState::kEstablished, TcpState::kFinWait1, 80, 5), std::nullopt);
  watched_ = true;
  EXPECT_EQ(Apply(9, 0xc, TcpState::kEstablished, TcpState::kFinWait1, 80, 5), EndsWith(80));
}

TEST_F(TracedSocketsTest, NothingIsJoinedOverALoss) {
  Connect(7, 0xa, 0);
  sockets_.Clear();
  EXPECT_EQ(Answer(0xa, 1000, 1), std::nullopt);
}

TEST(RecentTest, TheOldestAreForgotten) {
  Recent<int, int> recent(3);
  for (int i = 0; i < 5; ++i) recent.Put(i, 10 * i);
  EXPECT_EQ(recent.Find(1), nullptr);
  EXPECT_EQ(*recent.Find(2), 20);
  EXPECT_EQ(recent.forgotten(), 2);
  // What is taken out and put again is young.
  recent.Erase(2);
  recent.Put(2, 21);
  recent.Put(5, 50);
  EXPECT_EQ(recent.Find(3), nullptr);
  EXPECT_EQ(*recent.Find(2), 21);
  for (int i = 0; i < 1000; ++i) {
    recent.Put(6, i);
    recent.Erase(6);
  }
  EXPECT_EQ(recent.size(), 2);
}

}  // namespace
}  // namespace sockflow::pcap

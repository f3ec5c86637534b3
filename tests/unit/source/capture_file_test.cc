// SPDX-License-Identifier: MIT
#include "source/pcap/capture_file.h"

#include <zlib.h>

#include <limits>
#include <string>
#include <utility>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "source/pcap/byte_stream.h"
#include "tests/unit/source/capture_builder.h"
#include "tests/unit/source/memory_stream.h"
#include "tests/unit/temporary_directory.h"

namespace sockflow::pcap {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint32_t kMicroseconds = 0xa1b2c3d4, kNanoseconds = 0xa1b23c4d, kModified = 0xa1b2cd34;
const CaptureBuilder kBig(std::endian::big), kLittle(std::endian::little);

// What a file says: a line for each packet, and how it ends.
struct Story {
  std::vector<std::string> packets;
  std::string end;  // the error
  std::string description;
};

Story Tell(absl::StatusOr<std::unique_ptr<ByteStream>> stream) {
  Story story;
  EXPECT_TRUE(stream.ok());
  absl::StatusOr<std::unique_ptr<CaptureFile>> file = CaptureFile::Open(*std::move(stream));
  if (!file.ok()) {
    story.end = std::string(file.status().message());
    return story;
  }
  story.description = (*file)->description();
  while (true) {
    CapturedPacket packet;
    const absl::StatusOr<bool> next = (*file)->Next(packet);
    if (!next.ok()) story.end = std::string(next.status().message());
    if (!next.ok() || !*next) break;
    story.packets.push_back(fmt::format("{} {} {} {} {}", packet.at.time_since_epoch().count(),
                                        packet.link_type, packet.interface, packet.length,
                                        std::string(packet.octets.begin(), packet.octets.end())));
  }
  CapturedPacket packet;
  const absl::StatusOr<bool> after = (*file)->Next(packet);
  EXPECT_TRUE(after.ok() && !*after) << "more after the end";
  return story;
}

Story Tell(const Octets& octets, size_t chunk = 1 << 20) {
  return Tell(DecompressGzip(std::make_unique<MemoryStream>(octets, chunk)));
}

Octets Text(std::string_view text) { return {text.begin(), text.end()}; }

Octets First(const Octets& octets, size_t count) {
  return {octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(count)};
}

Octets Gzip(const Octets& octets) {
  z_stream zlib{};
  EXPECT_EQ(deflateInit2(&zlib, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Octets out(deflateBound(&zlib, octets.size()));
  zlib.next_in = const_cast<uint8_t*>(octets.data());
  zlib.avail_in = static_cast<uInt>(octets.size());
  zlib.next_out = out.data();
  zlib.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&zlib, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - zlib.avail_out);
  deflateEnd(&zlib);
  return out;
}

Octets Pcap(const CaptureBuilder& in) {
  return Join({in.PcapHeader(kMicroseconds, 1), in.PcapRecord(10, 999'999, Text("one"), 3),
               in.PcapRecord(11, 0, Text(""), 60), in.PcapRecord(12, 5, Text("three"), 1500)});
}

Octets Pcapng(const CaptureBuilder& in) {
  const Octets nano = Join({in.Option(9, {9}), in.Option(0, {})});
  return Join({in.Section(), in.Interface(1), in.Enhanced(0, 10'999'999, Text("one"), 3),
               in.Interface(113, 0, nano), in.Block(5, Octets(100, 'x')),
               in.Enhanced(1, 11'000'000'001, Text("four"), 1500)});
}

TEST(CaptureFileTest, PcapInBothByteOrders) {
  for (const CaptureBuilder& in : {kBig, kLittle}) {
    for (const size_t chunk : {1, 7, 100'000}) {
      const Story story = Tell(Pcap(in), chunk);
      EXPECT_THAT(story.packets, ElementsAre("10999999000 1 0 3 one", "11000000000 1 0 60 ",
                                             "12000005000 1 0 1500 three"));
      EXPECT_EQ(story.end, "");
      EXPECT_EQ(story.description, "pcap, Ethernet, microseconds");
    }
  }
}

TEST(CaptureFileTest, PcapWithNanoseconds) {
  for (const CaptureBuilder& in : {kBig, kLittle}) {
    const Story story = Tell(
        Join({in.PcapHeader(kNanoseconds, 276), in.PcapRecord(10, 999'999'999, Text("one"), 3)}));
    EXPECT_THAT(story.packets, ElementsAre("10999999999 276 0 3 one"));
    EXPECT_EQ(story.description, "pcap, Linux cooked v2, nanoseconds");
  }
}

TEST(CaptureFileTest, ModifiedPcap) {
  for (const CaptureBuilder& in : {kBig, kLittle}) {
    EXPECT_THAT(
        Tell(Join({in.PcapHeader(kModified, 1), in.PcapRecord(1, 2, Text("one"), 3, Octets(8, 9)),
                   in.PcapRecord(3, 4, Text("two"), 3, Octets(8, 9))}))
            .packets,
        ElementsAre("1000002000 1 0 3 one", "3000004000 1 0 3 two"));
  }
}

// Until version 2.2 the lengths were the other way round.
TEST(CaptureFileTest, OldPcap) {
  const Octets swapped = Join({kBig.U32(1), kBig.U32(2), kBig.U32(1500), kBig.U32(3), Text("one")});
  const Octets usual = kBig.PcapRecord(3, 4, Text("two"), 1500);
  EXPECT_THAT(Tell(Join({kBig.PcapHeader(kMicroseconds, 1, 2), swapped})).packets,
              ElementsAre("1000002000 1 0 1500 one"));
  EXPECT_THAT(Tell(Join({kBig.PcapHeader(kMicroseconds, 1, 3), swapped, usual})).packets,
              ElementsAre("1000002000 1 0 1500 one", "3000004000 1 0 1500 two"));
}

TEST(CaptureFileTest, PcapThatIsNotQuiteRight) {
  // The checksum's length beside the link type; a length on the wire below the captured one.
  const Story story =
      Tell(Join({kBig.PcapHeader(kMicroseconds, 0x24000001), kBig.PcapRecord(1, 0, Text("one"), 0),
                 kBig.PcapRecord(2, 4'000'000'000, Text("two"), 3)}));
  EXPECT_THAT(story.packets, ElementsAre("1000000000 1 0 3 one", "4002000000000 1 0 3 two"));
  EXPECT_EQ(story.end, "");
}

TEST(CaptureFileTest, LatestTimeOfPcap) {
  EXPECT_THAT(Tell(Join({kBig.PcapHeader(kMicroseconds, 1),
                         kBig.PcapRecord(0xffffffff, 999'999, Text("a"), 1),
                         kBig.PcapRecord(0xffffffff, 0xffffffff, Text("b"), 1)}))
                  .packets,
              ElementsAre("4294967295999999000 1 0 1 a", "4294967295999999999 1 0 1 b"));
}

TEST(CaptureFileTest, PcapngInBothByteOrders) {
  for (const CaptureBuilder& in : {kBig, kLittle}) {
    for (const size_t chunk : {1, 7, 100'000}) {
      const Story story = Tell(Pcapng(in), chunk);
      EXPECT_THAT(story.packets,
                  ElementsAre("10999999000 1 1 3 one", "11000000001 113 2 1500 four"));
      EXPECT_EQ(story.end, "");
      EXPECT_EQ(story.description, "pcapng");
    }
  }
}

TEST(CaptureFileTest, SectionsHaveTheirOwnByteOrderAndInterfaces) {
  const Story story = Tell(Join({Pcapng(kBig), Pcapng(kLittle), kBig.Section(), kBig.Interface(101),
                                 kBig.Enhanced(0, 0, Text("last"), 4)}));
  EXPECT_THAT(story.packets, ElementsAre("10999999000 1 1 3 one", "11000000001 113 2 1500 four",
                                         "10999999000 1 1 3 one", "11000000001 113 2 1500 four",
                                         "0 101 1 4 last"));
  EXPECT_EQ(story.end, "");
}

TEST(CaptureFileTest, SimpleAndObsoletePackets) {
  for (const CaptureBuilder& in : {kBig, kLittle}) {
    const Story story =
        Tell(Join({in.Section(), in.Interface(1, 4), in.Simple(Text("ab"), 2), in.Interface(101),
                   in.Obsolete(1, 5'000'000, Text("old"), 60), in.Simple(Text("abcd"), 1500)}));
    EXPECT_THAT(story.packets,
                ElementsAre("0 1 1 2 ab", "5000000000 101 2 60 old", "5000000000 1 1 1500 abcd"));
    EXPECT_EQ(story.end, "");
  }
}

std::string TimeWith(uint8_t resolution, uint64_t time, int64_t offset) {
  const Octets options = Join({kLittle.Option(9, {resolution}),
                               kLittle.Option(14, kLittle.U64(static_cast<uint64_t>(offset)))});
  const Story story = Tell(Join(
      {kLittle.Section(), kLittle.Interface(1, 0, options), kLittle.Enhanced(0, time, {}, 0)}));
  return story.packets.empty() ? story.end : story.packets[0].substr(0, story.packets[0].find(' '));
}

TEST(CaptureFileTest, TimeResolutions) {
  EXPECT_EQ(TimeWith(6, 1'500'000, 0), "1500000000");
  EXPECT_EQ(TimeWith(0, 7, 0), "7000000000");
  EXPECT_EQ(TimeWith(3, 1'234, 10), "11234000000");
  EXPECT_EQ(TimeWith(9, 1'234, -0), "1234");
  EXPECT_EQ(TimeWith(12, 1'999, 0), "1");
  EXPECT_EQ(TimeWith(19, 10'000'000'000'000'000'000u, 1), "2000000000");
  EXPECT_EQ(TimeWith(0x80, 7, 0), "7000000000");
  EXPECT_EQ(TimeWith(0x80 | 10, 1'536, 0), "1500000000");
  EXPECT_EQ(TimeWith(0x80 | 32, uint64_t{3} << 31, -1), "500000000");
  EXPECT_EQ(TimeWith(0x80 | 63, uint64_t{3} << 62, 0), "1500000000");
}

TEST(CaptureFileTest, TimesBeyondTheirRangeBecomeTheNearest) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(TimeWith(0, kMax, kMost), "4294967295999999999");
  EXPECT_EQ(TimeWith(6, kMax, 0), "4294967295999999999");
  EXPECT_EQ(TimeWith(6, 0, -1), "0");
  EXPECT_EQ(TimeWith(0, 0, kLeast), "0");
  EXPECT_EQ(TimeWith(0x80 | 63, kMax, kLeast), "0");
}

TEST(CaptureFileTest, TimeResolutionsThatCannotBe) {
  constexpr const char* kWhere = "is damaged: the block at octet 44, after 0 packets, ";
  EXPECT_EQ(TimeWith(20, 0, 0),
            std::string(kWhere) + "has a time resolution of 10^-20 seconds, which is too small");
  EXPECT_EQ(TimeWith(0xff, 0, 0),
            std::string(kWhere) + "has a time resolution of 2^-127 seconds, which is too small");
}

// All that is whole comes first. The end is orderly only behind a record, a block, all of a gzip
// file.
TEST(CaptureFileTest, CutAtEveryOctet) {
  for (const CaptureBuilder& in : {kBig, kLittle}) {
    const Octets pcap = Pcap(in);
    const Octets pcapng = Join({Pcapng(in), in.Simple(Text("ab"), 2), in.Obsolete(0, 5, {}, 0)});
    const std::pair<Octets, int> files[] = {
        {pcap, 3}, {pcapng, 7}, {Gzip(pcap), 0}, {Gzip(pcapng), 0}};
    for (const auto& [whole, orderly_ends] : files) {
      const Story all = Tell(whole);
      ASSERT_EQ(all.end, "");
      size_t packets = 0;
      int orderly = 0;
      for (size_t size = 0; size < whole.size(); ++size) {
        SCOPED_TRACE(size);
        const Story story = Tell(First(whole, size), size % 2 + 1);
        ASSERT_GE(story.packets.size(), packets);
        packets = story.packets.size();
        ASSERT_LE(packets, all.packets.size());
        for (size_t i = 0; i < packets; ++i) ASSERT_EQ(story.packets[i], all.packets[i]);
        if (story.end.empty()) ++orderly;
      }
      EXPECT_EQ(orderly, orderly_ends);
    }
  }
}

TEST(CaptureFileTest, SaysWherePcapIsCutShort) {
  const Octets pcap = Pcap(kLittle);
  const auto end = [&](size_t size) { return Tell(First(pcap, size)).end; };
  EXPECT_EQ(end(10), "is cut short: 10 of 24 octets of the file header");
  EXPECT_EQ(end(24), "");
  EXPECT_EQ(end(30),
            "is cut short: 6 of 16 octets of the header of packet 1, which begins at octet 24");
  EXPECT_EQ(end(41), "is cut short: 1 of 3 octets of packet 1, which begins at octet 24");
  EXPECT_EQ(end(43), "");
  EXPECT_EQ(end(pcap.size() - 1),
            "is cut short: 4 of 5 octets of packet 3, which begins at octet 59");
}

TEST(CaptureFileTest, SaysWherePcapngIsCutShort) {
  const Octets pcapng = Join({kBig.Section(), kBig.Interface(1), kBig.Enhanced(0, 0, {}, 0)});
  const auto end = [&](size_t size) { return Tell(First(pcapng, size)).end; };
  EXPECT_EQ(end(6), "is cut short: 6 of 12 octets of the block at octet 0, after 0 packets");
  EXPECT_EQ(end(20), "is cut short: 20 of 44 octets of the block at octet 0, after 0 packets");
  EXPECT_EQ(end(44), "");
  EXPECT_EQ(end(49), "is cut short: 5 of 12 octets of the block at octet 44, after 0 packets");
  EXPECT_EQ(end(63), "is cut short: 19 of 20 octets of the block at octet 44, after 0 packets");
  EXPECT_EQ(end(pcapng.size() - 1),
            "is cut short: 43 of 44 octets of the block at octet 64, after 0 packets");
}

TEST(CaptureFileTest, NoCaptureFile) {
  const auto end = [](const Octets& octets) { return Tell(octets).end; };
  EXPECT_EQ(end({}), "is empty: no pcap, pcapng or gzip file");
  EXPECT_EQ(end({0xd4, 0xc3}), "begins with d4 c3; no pcap, pcapng or gzip file");
  EXPECT_EQ(end({0x89, 0x50, 0x4e, 0x47, 0x0d}),
            "begins with 89 50 4e 47; no pcap, pcapng or gzip file");
  EXPECT_EQ(end({0x28, 0xb5, 0x2f, 0xfd}),
            "begins with 28 b5 2f fd; no pcap, pcapng or gzip file; it is compressed by zstd: "
            "decompress it first (zstd -d)");
  EXPECT_THAT(end(Gzip(Gzip(Pcap(kBig)))), HasSubstr("compressed by gzip twice"));
  EXPECT_THAT(end({0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00}), HasSubstr("xz -d"));
  EXPECT_THAT(end(Gzip(Text("hello"))), HasSubstr("begins with 68 65 6c 6c"));
  EXPECT_EQ(end(Gzip({})), "is empty: no pcap, pcapng or gzip file");
  EXPECT_EQ(end(Join({kBig.U32(kMicroseconds), kBig.U16(3), kBig.U16(0), Octets(16, 0)})),
            "is of pcap version 3.0; only 2 can be read");
}

TEST(CaptureFileTest, DamagedPcap) {
  const Story story = Tell(Join({Pcap(kBig), kBig.U32(0), kBig.U32(0), kBig.U32(262'145),
                                 kBig.U32(262'145), Octets(262'145, 'x')}));
  EXPECT_EQ(story.packets.size(), 3u);
  EXPECT_EQ(story.end,
            "is damaged: packet 4, which begins at octet 80, says that it has 262145 octets, which "
            "is more than 262144");
  EXPECT_EQ(Tell(Join({Pcap(kBig), kBig.PcapRecord(0, 0, Octets(262'144, 'x'), 262'144)})).end, "");
}

TEST(CaptureFileTest, DamagedPcapng) {
  const CaptureBuilder& in = kBig;
  const Octets begin = Join({in.Section(), in.Interface(1)});
  const auto end = [&](const Octets& block) {
    const Story story = Tell(Join({begin, block, in.Enhanced(0, 0, {}, 0)}));
    EXPECT_THAT(story.packets, ElementsAre());
    constexpr std::string_view kWhere = "is damaged: the block at octet 64, after 0 packets, ";
    EXPECT_EQ(story.end.substr(0, kWhere.size()), kWhere);
    return story.end.substr(std::min(story.end.size(), kWhere.size()));
  };
  EXPECT_EQ(end(Join({in.U32(5), in.U32(8), in.U32(8)})), "has a length of 8 octets");
  EXPECT_EQ(end(Join({in.U32(5), in.U32(13), in.U32(13)})), "has a length of 13 octets");
  EXPECT_EQ(end(Join({in.U32(5), in.U32(12), in.U32(16)})),
            "has a length of 12 octets at its beginning and of 16 at its end");
  EXPECT_EQ(end(in.Enhanced(1, 0, {}, 0)),
            "is of interface 1, which its section has not described");
  EXPECT_EQ(end(in.Block(6, Octets(16, 0))), "is too short: 28 octets");
  EXPECT_EQ(end(in.Block(1, Octets(4, 0))), "is too short: 16 octets");
  EXPECT_EQ(end(in.Block(3, in.U32(5))), "says that its packet has 5 octets, which is more than 0");
  EXPECT_EQ(end(in.Block(3, Join({in.U32(300'000), Octets(300'000, 0)}))),
            "says that its packet has 300000 octets, which is more than 262144");
  EXPECT_EQ(end(in.Interface(1, 0, in.Option(9, {6, 6}))), "has option 9 with 2 octets");
  EXPECT_EQ(end(in.Interface(1, 0, in.Option(14, in.U32(0)))), "has option 14 with 4 octets");
  EXPECT_EQ(end(in.Interface(1, 0, Join({in.U16(2), in.U16(5), in.U32(0)}))),
            "has option 2 with 5 octets");
  EXPECT_EQ(end(in.Section(2)), "is of pcapng version 2.0; only 1 can be read");
  EXPECT_EQ(end(in.Block(0x0a0d0d0a, in.U32(0x1a2b3c4d))), "is too short for a section header");
  EXPECT_EQ(end(in.Block(0x0a0d0d0a, in.U32(7))), "has 00000007 where its byte order belongs");
}

TEST(CaptureFileTest, PacketBeforeItsInterface) {
  EXPECT_EQ(Tell(Join({kBig.Section(), kBig.Simple(Text("a"), 1)})).end,
            "is damaged: the block at octet 44, after 0 packets, is of interface 0, which its "
            "section has not described");
}

// An empty interface block is 20 octets of file, and gzip makes thousands of it from a few.
TEST(CaptureFileTest, InterfacesAreBounded) {
  Octets file = kBig.Section();
  const Octets interface = kBig.Interface(1);
  for (int i = 0; i < 65'537; ++i) file.insert(file.end(), interface.begin(), interface.end());
  EXPECT_THAT(Tell(file).end, HasSubstr("describes interface 65537 of its section"));
}

TEST(CaptureFileTest, Gzip) {
  const Octets pcap = Pcap(kLittle);
  const std::vector<std::string> packets = Tell(pcap).packets;
  EXPECT_EQ(Tell(Gzip(pcap)).packets, packets);
  // Members, as several runs of gzip leave them (RFC 1952 2.2).
  const Octets members =
      Join({Gzip(First(pcap, 50)), Gzip({}), Gzip(Octets(pcap.begin() + 50, pcap.end()))});
  for (const size_t chunk : {1, 7, 100'000}) {
    EXPECT_EQ(Tell(members, chunk).packets, packets);
    EXPECT_EQ(Tell(members, chunk).end, "");
  }
  // More than a buffer of output from one of input.
  const Octets large = Join({pcap, kLittle.PcapRecord(1, 0, Octets(200'000, 'x'), 200'000),
                             kLittle.PcapRecord(2, 0, Octets(200'000, 'y'), 200'000)});
  EXPECT_EQ(Tell(Gzip(large)).packets, Tell(large).packets);
}

TEST(CaptureFileTest, DamagedGzip) {
  const Octets pcap = Pcap(kLittle);
  Octets damaged = Gzip(pcap);
  damaged[damaged.size() - 5] ^= 1;  // in its checksum, behind all the data
  const Story story = Tell(damaged);
  EXPECT_EQ(story.packets, Tell(pcap).packets);
  EXPECT_THAT(story.end, HasSubstr("is damaged: zlib says \"incorrect data check\" (octet "));
  damaged = Gzip(pcap);
  damaged.pop_back();
  EXPECT_EQ(Tell(damaged).packets, Tell(pcap).packets);
  EXPECT_THAT(Tell(damaged).end, HasSubstr("is cut short: it ends within its gzip data (octet "));
  EXPECT_EQ(Tell(Join({Gzip(pcap), Text("more")})).packets, Tell(pcap).packets);
  EXPECT_THAT(Tell(Join({Gzip(pcap), Text("more")})).end, HasSubstr("incorrect header check"));
}

TEST(OpenByteStreamTest, Files) {
  const TemporaryDirectory directory;
  const Octets pcap = Pcap(kLittle);
  for (const Octets& octets : {pcap, Gzip(pcap), Octets{}, Octets{0x1f}}) {
    const std::string path = directory / "file";
    WriteFile(path, octets);
    const Story story = Tell(OpenByteStream(path));
    EXPECT_EQ(story.packets, Tell(octets).packets);
    EXPECT_EQ(story.end, Tell(octets).end);
  }
}

TEST(OpenByteStreamTest, WhatCannotBeRead) {
  const TemporaryDirectory directory;
  EXPECT_EQ(OpenByteStream(directory / "absent").status(),
            absl::NotFoundError("cannot be opened: No such file or directory"));
  EXPECT_EQ(OpenByteStream(directory.path()).status(),
            absl::DataLossError("cannot be read: Is a directory"));
}

}  // namespace
}  // namespace sockflow::pcap

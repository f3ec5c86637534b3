// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "delivery/spool.h"
#include "gtest/gtest.h"
#include "tests/unit/temporary_directory.h"

namespace sockflow::delivery {

using ipfix::Message;

inline constexpr uint64_t kMaxOctets = 1 << 20;

inline std::string TextOf(const absl::Status& status) { return std::string(status.message()); }

inline Message MakeMessage(uint32_t number, size_t octets = 60) {
  Message message{.octets = std::vector<uint8_t>(octets, static_cast<uint8_t>(number)),
                  .records = number % 7 + 1};
  for (size_t i = 0; i < 4 && i < octets; ++i) {
    message.octets[i] = static_cast<uint8_t>(number >> (8 * i));
  }
  return message;
}

inline std::vector<Message> MakeMessages(uint32_t count, size_t octets = 60) {
  std::vector<Message> messages;
  for (uint32_t i = 0; i < count; ++i) messages.push_back(MakeMessage(i, octets));
  return messages;
}

inline uint64_t RecordsOf(const std::vector<Message>& messages) {
  uint64_t records = 0;
  for (const Message& message : messages) records += message.records;
  return records;
}

inline const Preamble kPreamble = {MakeMessage(1000, 90), MakeMessage(1001, 40)};
inline const Preamble kOtherPreamble = {MakeMessage(2000, 50)};

class SpoolTest : public testing::Test {
 protected:
  std::unique_ptr<Spool> Open(uint64_t segment_octets = 4096, uint64_t max_octets = kMaxOctets) {
    damage_ = {};
    auto spool = Spool::Open({path_, max_octets, segment_octets}, &damage_);
    EXPECT_TRUE(spool.ok()) << spool.status();
    return spool.ok() ? *std::move(spool) : nullptr;
  }

  static void AppendAll(Spool& spool, const std::vector<Message>& messages,
                        const Preamble& preamble = kPreamble) {
    for (const Message& message : messages) {
      const absl::Status status = spool.Append(message, preamble);
      ASSERT_TRUE(status.ok()) << status;
    }
  }

  static std::vector<Message> PopAll(Spool& spool, const Preamble& preamble = kPreamble) {
    std::vector<Message> messages;
    while (const Spool::Item* item = spool.Front()) {
      messages.push_back(item->message);
      EXPECT_EQ(*item->preamble, preamble);
      spool.Pop();
    }
    EXPECT_EQ(spool.messages(), 0u);
    EXPECT_EQ(spool.records(), 0u);
    return messages;
  }

  std::vector<std::string> Segments() const {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      if (entry.path().filename() != "lock") paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }
  uint64_t OctetsOnDisk() const {
    uint64_t octets = 0;
    for (const std::string& path : Segments()) octets += std::filesystem::file_size(path);
    return octets;
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "spool";
  Damage damage_;
};

}  // namespace sockflow::delivery

// SPDX-License-Identifier: MIT
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "sockflow/config.h"
#include "tests/unit/temporary_directory.h"

namespace sockflow {

class CollectorsTest : public ::testing::Test {
 protected:
  CollectorsTest() {
    for (const char* file : {"ca.pem", "host.pem", "host.key"}) {
      directory_.Write(file, "-----BEGIN\n");
    }
  }

  // "$D" is the directory of the PEM files.
  std::string Fill(std::string text) const {
    for (size_t at = 0; (at = text.find("$D", at)) != text.npos;) {
      text.replace(at, 2, directory_.path().string());
    }
    return text;
  }

  LoadedConfig Load(const std::string& text) {
    absl::StatusOr<LoadedConfig> loaded = ParseConfig("t.yaml", Fill(text));
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? *std::move(loaded) : LoadedConfig();
  }
  std::vector<CollectorGroup> Read(const std::string& text) {
    return Load(text).config.collectors;
  }
  // Of a file with one collector.
  CollectorConfig ReadOne(const std::string& text) {
    const std::vector<CollectorGroup> groups = Read(text);
    EXPECT_THAT(groups, ::testing::SizeIs(1));
    EXPECT_THAT(groups.front().collectors, ::testing::SizeIs(1));
    return groups.front().collectors.front();
  }
  std::string FaultsOf(const std::string& text) {
    const absl::StatusOr<LoadedConfig> loaded = ParseConfig("t.yaml", Fill(text));
    EXPECT_EQ(loaded.status().code(), absl::StatusCode::kInvalidArgument) << text;
    return std::string(loaded.status().message());
  }

  TemporaryDirectory directory_;
};

}  // namespace sockflow

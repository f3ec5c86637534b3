// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "sockflow/config.h"
#include "tests/unit/temporary_directory.h"

namespace sockflow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ConfigFileTest : public ::testing::Test {
 protected:
  std::string ErrorOf(const std::string& path) {
    const absl::StatusOr<LoadedConfig> loaded = LoadConfig(path);
    EXPECT_EQ(loaded.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(loaded.status().message());
  }

  TemporaryDirectory directory_;
};

TEST_F(ConfigFileTest, SaysWhichFileItRead) {
  const std::string path = directory_.Write("a.yaml", "interface: eth0\n");
  const absl::StatusOr<LoadedConfig> loaded = LoadConfig(path);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.interfaces, std::vector<std::string>{"eth0"});
  EXPECT_THAT(loaded->notes, ElementsAre("configuration read from " + path));
}

TEST_F(ConfigFileTest, SaysThatThereIsNone) {
  const absl::StatusOr<LoadedConfig> loaded = LoadConfig(std::nullopt);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config, Config());
  EXPECT_THAT(loaded->notes,
              ElementsAre("no configuration file (./config.yaml, /etc/sockflow/config.yaml): every "
                          "key has its default"));
}

TEST_F(ConfigFileTest, TakesTheFirstThatExists) {
  const std::string none = directory_ / "none.yaml";
  const std::string below_file = directory_.Write("file", "") + "/config.yaml";
  const std::string a = directory_.Write("a.yaml", "");
  const std::string b = directory_.Write("b.yaml", "");
  const std::array<std::string_view, 4> search = {none, below_file, a, b};
  EXPECT_EQ(*FindConfigFile(std::nullopt, search), a);
  EXPECT_EQ(*FindConfigFile(b, search), b);
  EXPECT_EQ(*FindConfigFile(std::nullopt, std::span(search).first(2)), std::nullopt);
  // A name that was given is not silently replaced by another.
  EXPECT_EQ(*FindConfigFile(none, search), none);
  EXPECT_FALSE(FindConfigFile("", search).ok());
  EXPECT_THAT(ConfigSearchPath(), ElementsAre("./config.yaml", "/etc/sockflow/config.yaml"));
}

TEST_F(ConfigFileTest, FileIsMissing) {
  const std::string path = directory_ / "none.yaml";
  EXPECT_EQ(ErrorOf(path), path +
                               ": cannot be read: No such file or directory; name a file that "
                               "exists and that this user may read");
}

TEST_F(ConfigFileTest, FileIsADirectory) {
  EXPECT_EQ(ErrorOf(directory_.path().string()),
            directory_.path().string() + ": cannot be read: it is a directory; name a file");
  // One in the search path is not passed over.
  const std::string name = directory_.path().string();
  const std::array<std::string_view, 1> search = {name};
  EXPECT_EQ(*FindConfigFile(std::nullopt, search), name);
}

TEST_F(ConfigFileTest, FileIsTooLong) {
  const std::string path = directory_.Write("long.yaml", std::string((1 << 20) + 1, '#'));
  EXPECT_EQ(ErrorOf(path), path +
                               ": longer than 1048576 octets; is this a configuration file?");
  EXPECT_TRUE(LoadConfig(directory_.Write("just.yaml", std::string(1 << 20, '#'))).ok());
}

TEST_F(ConfigFileTest, EndlessFileIsRefused) {
  EXPECT_THAT(ErrorOf("/dev/zero"), HasSubstr("longer than 1048576 octets"));
}

TEST_F(ConfigFileTest, FaultsNameTheFile) {
  const std::string path = directory_.Write("a.yaml", "\ninterfaces: eth0\n");
  EXPECT_THAT(ErrorOf(path), StartsWith(path + ":2: interfaces: unknown key"));
}

}  // namespace
}  // namespace sockflow

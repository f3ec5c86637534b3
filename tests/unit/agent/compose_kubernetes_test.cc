// SPDX-License-Identifier: MIT
#include "agent/compose_kubernetes.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sockflow {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ComposeKubernetesTest : public ::testing::Test {
 protected:
  ComposeKubernetesTest() {
    config_.place = {.file = "c.yaml", .line = 3, .key = "kubernetes.enabled"};
    config_.token_file = "/t";
  }
  absl::StatusOr<KubernetesOptions> Options(const std::string& host_name = "Host-1") {
    return KubernetesOptionsOf(
        config_, [this](const std::string& name) { return environment_[name]; }, host_name);
  }

  Config::Kubernetes config_;
  std::map<std::string, std::string> environment_;
};

TEST_F(ComposeKubernetesTest, InAClusterAllIsThere) {
  environment_ = {{"KUBERNETES_SERVICE_HOST", "10.96.0.1"}, {"KUBERNETES_SERVICE_PORT", "443"}, {"NODE_NAME", "n1"}};
  EXPECT_EQ(Options()->server, "https://10.96.0.1:443");
  EXPECT_EQ(Options()->node_name, "n1");
  EXPECT_EQ(Options()->token_file, "/t");
  environment_["KUBERNETES_SERVICE_HOST"] = "fd00::1";
  EXPECT_EQ(Options()->server, "https://[fd00::1]:443");
}

TEST_F(ComposeKubernetesTest, TheNameOfTheNode) {
  config_.api_server = "https://a.example:6443";
  EXPECT_EQ(Options()->node_name, "host-1");
  environment_["NODE_NAME"] = "n2";
  EXPECT_EQ(Options()->node_name, "n2");
  config_.node_name = "n3";
  EXPECT_EQ(Options()->node_name, "n3");
  EXPECT_EQ(Options()->server, "https://a.example:6443");
}

TEST_F(ComposeKubernetesTest, TheKubeletIsOnTheNode) {
  config_.from_kubelet = true;
  EXPECT_EQ(Options()->server, "https://host-1:10250");
  EXPECT_TRUE(Options()->from_kubelet);
}

TEST_F(ComposeKubernetesTest, OutsideOfAClusterTheErrorNamesLineAndRemedy) {
  const auto options = Options();
  EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(options.status().message()), StartsWith("c.yaml:3: kubernetes.enabled: "));
  EXPECT_THAT(std::string(options.status().message()), HasSubstr("set kubernetes.api_server"));
  config_.api_server = "https://a.example:443";
  EXPECT_THAT(std::string(Options("").status().message()), HasSubstr("set kubernetes.node_name"));
}

}  // namespace
}  // namespace sockflow

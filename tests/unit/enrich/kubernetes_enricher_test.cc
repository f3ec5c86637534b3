// SPDX-License-Identifier: MIT
#include "enrich/kubernetes/kubernetes_enricher.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/enrich/fake_api.h"

namespace sockflow::kubernetes {
namespace {

using ::testing::ElementsAre;

// Pods "a" at 10.0.0.1 and "b" at 10.0.0.2.
class KubernetesEnricherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto watch = std::make_unique<PodWatch>(
        PodWatch::Options{.node_name = "node-1", .token_file = {}, .random = [] { return 0.5; }},
        std::make_unique<FakeApi>(
            std::deque<Reply>{{.body = {ListJson({PodJson("a", "1", "10.0.0.1"), PodJson("b", "1", "10.0.0.2")})}}},
            log_));
    watch_ = watch.get();
    enricher_ = std::make_unique<KubernetesEnricher>(std::move(watch));
  }

  Session Make(const std::string& local, const std::string& remote) {
    Session session;
    session.local.address = *IpAddress::Parse(local);
    session.remote.address = *IpAddress::Parse(remote);
    session.started = Time(std::chrono::hours(400'000));
    return session;
  }
  static Session Of(Session session, ContainerFacts container) {
    session.process = Process{.pid = 7};
    session.container = std::make_shared<ContainerFacts>(std::move(container));
    return session;
  }
  static std::string NameOf(const std::shared_ptr<const PodFacts>& pod) { return pod ? pod->pod_name : "-"; }

  ApiLog log_;
  PodWatch* watch_;
  std::unique_ptr<KubernetesEnricher> enricher_;
};

TEST_F(KubernetesEnricherTest, APodThatIsNotKnownIsWorthAWaitUntilThereAreNews) {
  Session session = Of(Make("10.0.0.1", "192.0.2.1"), {.id = {}, .runtime = {}, .pod_uid = "uid-a"});
  const uint64_t news = enricher_->news();
  EXPECT_EQ(enricher_->Enrich(session), Enriched::kLater);
  watch_->Run();
  EXPECT_GT(enricher_->news(), news);
  EXPECT_EQ(enricher_->Enrich(session), Enriched::kDone);
  EXPECT_EQ(NameOf(session.pod), "a");
  EXPECT_EQ(NameOf(session.remote_pod), "-");
}

TEST_F(KubernetesEnricherTest, BothEndsOfASessionBetweenTwoPods) {
  watch_->Run();
  Session session = Of(Make("10.0.0.1", "10.0.0.2"), {.id = {}, .runtime = {}, .pod_uid = "uid-a"});
  EXPECT_EQ(enricher_->Enrich(session), Enriched::kDone);
  EXPECT_EQ(NameOf(session.pod), "a");
  EXPECT_EQ(NameOf(session.remote_pod), "b");
}

TEST_F(KubernetesEnricherTest, TheAddressTellsOnlyOfASessionWithoutProcess) {
  watch_->Run();
  Session session = Make("10.0.0.1", "192.0.2.1");
  EXPECT_EQ(enricher_->Enrich(session), Enriched::kDone);
  EXPECT_EQ(NameOf(session.pod), "a");
  // A proxy of the host that speaks from a pod's address.
  Session proxied = Make("10.0.0.1", "10.0.0.2");
  proxied.process = Process{.pid = 7};
  EXPECT_EQ(enricher_->Enrich(proxied), Enriched::kDone);
  EXPECT_EQ(NameOf(proxied.pod), "-");
  EXPECT_EQ(NameOf(proxied.remote_pod), "b");
}

TEST_F(KubernetesEnricherTest, AContainerOutsideOfKubernetesIsNotWaitedFor) {
  watch_->Run();
  Session session = Of(Make("172.17.0.2", "10.0.0.2"), {.id = "4f53", .runtime = "docker", .pod_uid = {}});
  EXPECT_EQ(enricher_->Enrich(session), Enriched::kDone);
  EXPECT_EQ(NameOf(session.pod), "-");
}

TEST_F(KubernetesEnricherTest, WhatIsKnownStays) {
  watch_->Run();
  Session session = Of(Make("10.0.0.1", "10.0.0.1"), {.id = {}, .runtime = {}, .pod_uid = "uid-a"});
  session.pod = session.remote_pod = std::make_shared<PodFacts>();
  EXPECT_EQ(enricher_->Enrich(session), Enriched::kDone);
  EXPECT_EQ(NameOf(session.pod), "");
  EXPECT_EQ(NameOf(session.remote_pod), "");
}

TEST_F(KubernetesEnricherTest, CountsWhatWentOutWithoutNames) {
  Session session = Of(Make("10.0.0.9", "192.0.2.1"), {.id = {}, .runtime = {}, .pod_uid = "uid-z"});
  enricher_->Enrich(session);
  enricher_->GaveUp(session);
  // Another enricher's wait.
  session.pod = std::make_shared<PodFacts>();
  enricher_->GaveUp(session);
  const std::vector<LossCounter> losses = enricher_->missing();
  std::vector<std::string> reasons;
  for (const LossCounter& loss : losses) reasons.push_back(loss.reason);
  EXPECT_THAT(reasons, ElementsAre("pod_unknown", "api_errors", "watch_restarts", "malformed_pods",
                                   "pods_left_out"));
  EXPECT_EQ(losses[0].count, 1u);
}

}  // namespace
}  // namespace sockflow::kubernetes

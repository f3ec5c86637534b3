// SPDX-License-Identifier: MIT
#include "enrich/kubernetes/pod_watch.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/enrich/fake_api.h"
#include "tests/unit/temporary_directory.h"

namespace sockflow::kubernetes {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const absl::Status kBroken = absl::UnavailableError("the connection broke");
const std::string kExpired =
    R"({"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"})";

class PodWatchTest : public ::testing::Test {
 protected:
  // Runs until the script is over.
  void Run(std::deque<Reply> script) {
    watch_ = std::make_unique<PodWatch>(options_, std::make_unique<FakeApi>(std::move(script), log_));
    watch_->Run();
  }
  // Of those three; empty: not known.
  std::string Names(const std::vector<std::string>& of = {"a", "b", "c"}) {
    std::string names;
    for (const std::string& name : of) {
      if (watch_->directory()->FindByUid("uid-" + name)) names += name;
    }
    return names;
  }
  uint64_t Count(const std::string& reason) {
    for (const LossCounter& counter : watch_->losses()) {
      if (counter.reason == reason) return counter.count;
    }
    ADD_FAILURE() << reason;
    return 0;
  }

  PodWatch::Options options_{.node_name = "node-1", .token_file = {}, .random = [] { return 0.5; }};
  ApiLog log_;
  std::unique_ptr<PodWatch> watch_;
};

TEST_F(PodWatchTest, ListsInChunksThenWatches) {
  Run({{.body = {ListJson({PodJson("a")}, "10", "more/1+")}},
       {.body = {ListJson({PodJson("b")}, "10")}},
       {.body = {EventJson("ADDED", PodJson("c", "11")), EventJson("DELETED", PodJson("a", "12"))}},
       {.body = {BookmarkJson("20")}}});
  EXPECT_EQ(Names(), "abc") << "who is gone is still found";
  ASSERT_EQ(log_.paths.size(), 4u);
  EXPECT_EQ(log_.paths[0], "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1&limit=500&resourceVersion=0");
  EXPECT_EQ(log_.paths[1], "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1&limit=500&continue=more%2F1%2B");
  EXPECT_EQ(log_.paths[2],
            "/api/v1/pods?watch=1&allowWatchBookmarks=true&fieldSelector=spec.nodeName%3Dnode-1"
            "&timeoutSeconds=270&resourceVersion=10");
  EXPECT_THAT(log_.paths[3], HasSubstr("&resourceVersion=12"));
  EXPECT_THAT(log_.waits, IsEmpty()) << "nothing went wrong";
  for (const LossCounter& counter : watch_->losses()) EXPECT_EQ(counter.count, 0u) << counter.reason;
}

TEST_F(PodWatchTest, ABookmarkMovesTheVersion) {
  Run({{.body = {ListJson({})}}, {.body = {BookmarkJson("77")}}, {.body = {BookmarkJson("78")}}});
  EXPECT_THAT(log_.paths.back(), HasSubstr("resourceVersion=77"));
}

TEST_F(PodWatchTest, NothingOfAListIsBelievedBeforeItsEnd) {
  const std::string list = ListJson({PodJson("b"), PodJson("c")});
  Run({{.body = {ListJson({PodJson("a")})}},
       {.status = 410, .body = {kExpired}},
       {.body = {list.substr(0, list.size() - 3)}, .broken = kBroken}});
  EXPECT_EQ(Names(), "a");
}

TEST_F(PodWatchTest, GoneInEitherFormListsAnewFromStorage) {
  for (const Reply& gone : {Reply{.status = 410, .body = {kExpired}}, Reply{.body = {EventJson("ERROR", kExpired)}}}) {
    log_ = {};
    Run({{.body = {ListJson({PodJson("a")})}}, gone, {.body = {ListJson({PodJson("b")}, "50")}}, {.body = {BookmarkJson("51")}}});
    ASSERT_EQ(log_.paths.size(), 4u);
    EXPECT_THAT(log_.paths[2], AllOf(HasSubstr("limit="), Not(HasSubstr("resourceVersion"))));
    EXPECT_THAT(log_.paths[3], HasSubstr("resourceVersion=50"));
    EXPECT_THAT(log_.waits, ElementsAre(milliseconds(500)));
    EXPECT_EQ(Count("watch_restarts"), 1u);
    EXPECT_EQ(Count("api_errors"), 0u);
    EXPECT_EQ(Names(), "ab");
  }
}

TEST_F(PodWatchTest, AListThatTookTooLongBeginsAnew) {
  Run({{.body = {ListJson({PodJson("a")}, "10", "more")}},
       {.status = 410, .body = {kExpired}},
       {.body = {ListJson({PodJson("b")})}}});
  EXPECT_THAT(log_.paths[2], AllOf(Not(HasSubstr("continue")), Not(HasSubstr("resourceVersion"))));
  EXPECT_EQ(Names(), "b");
}

TEST_F(PodWatchTest, WaitsLongerEachTimeAndNeverTooLong) {
  Run(std::deque<Reply>(9, Reply{.status = 503}));
  EXPECT_THAT(log_.waits,
              ElementsAre(milliseconds(500), seconds(1), seconds(2), seconds(4), seconds(8), seconds(16),
                          seconds(30), seconds(30), seconds(30)));
  EXPECT_EQ(Count("api_errors"), 9u);
}

TEST_F(PodWatchTest, WaitsAsTheServerAsksWithinReason) {
  Run({{.status = 429, .retry_after = seconds(7)}, {.status = 429, .retry_after = seconds(100'000)}});
  EXPECT_THAT(log_.waits, ElementsAre(seconds(7), seconds(60)));
}

TEST_F(PodWatchTest, JitterSpreadsTheWaits) {
  options_.random = [] { return 0.0; };
  Run({{.status = 500}});
  EXPECT_THAT(log_.waits, ElementsAre(milliseconds(250)));
}

TEST_F(PodWatchTest, AWatchThatBreaksGoesOnFromItsLastEvent) {
  const std::string event = EventJson("ADDED", PodJson("c", "13"));
  Run({{.body = {ListJson({PodJson("a")})}},
       {.body = {EventJson("ADDED", PodJson("b", "12")), event.substr(0, 40)}, .broken = kBroken},
       {.body = {event.substr(0, 40)}},  // cut, though the connection ended in order
       {.body = {event}}});
  EXPECT_THAT(log_.paths[2], HasSubstr("resourceVersion=12"));
  EXPECT_THAT(log_.paths[3], HasSubstr("resourceVersion=12"));
  EXPECT_EQ(Names(), "abc");
  EXPECT_EQ(Count("watch_restarts"), 2u);
  EXPECT_EQ(Count("api_errors"), 2u);
}

TEST_F(PodWatchTest, AWatchThatEndsAtOnceIsNotAskedForAgainAtOnce) {
  Run({{.body = {ListJson({})}}, {}, {}, {}, {.takes = seconds(1)}, {}});
  EXPECT_THAT(log_.waits, ElementsAre(milliseconds(500), seconds(1), seconds(2), milliseconds(500)));
}

TEST_F(PodWatchTest, AListThatGoesWellIsNoReasonToHurryWithAWatchThatDoesNot) {
  const Reply list{.body = {ListJson({})}}, gone{.status = 410};
  Run({list, gone, list, gone, list, gone});
  EXPECT_THAT(log_.waits, ElementsAre(milliseconds(500), seconds(1), seconds(2)));
}

TEST_F(PodWatchTest, AServerThatForgotWhileItWasAwayIsAskedSoon) {
  const Reply list{.body = {ListJson({})}}, away{.status = 0, .broken = kBroken}, gone{.status = 410};
  Run({list, {.body = {BookmarkJson("11")}, .broken = kBroken}, away, away, away, gone, list,
       {.body = {BookmarkJson("12")}, .broken = kBroken}});
  EXPECT_THAT(log_.waits, ElementsAre(milliseconds(500), seconds(1), seconds(2), seconds(4), milliseconds(500),
                                      milliseconds(500)));
}

TEST_F(PodWatchTest, AWatchWithoutNewsIsOneThatWorked) {
  const Reply away{.status = 0, .broken = kBroken};
  Run({{.body = {ListJson({})}}, away, away, {.takes = seconds(60), .broken = kBroken}});
  EXPECT_THAT(log_.waits, ElementsAre(milliseconds(500), seconds(1), milliseconds(500)));
}

TEST_F(PodWatchTest, OtherErrorsOfAWatchGoOnFromTheSameVersion) {
  Run({{.body = {ListJson({})}},
       {.body = {EventJson("ERROR", R"({"code":500,"message":"etcd is away"})")}},
       {.status = 403, .body = {R"({"message":"pods is forbidden"})"}},
       {.body = {BookmarkJson("12")}}});
  EXPECT_THAT(log_.paths[3], AllOf(HasSubstr("watch=1"), HasSubstr("resourceVersion=10")));
  EXPECT_EQ(Count("api_errors"), 2u);
}

TEST_F(PodWatchTest, NonsenseIsCountedAndLeftOut) {
  Run({{.body = {ListJson({PodJson("a"), "{\"metadata\":7}", "{]}"})}},
       {.body = {ListJson({PodJson("a"), "{\"metadata\":7}", "{\"x\":tru}"})}},
       {.body = {"{\"type\":\"ADDED\",\"object\":{}}\n", "{nonsense}\n", EventJson("ADDED", PodJson("b", "11")),
                 EventJson("ADDED", "{\"a\":\"" + std::string(5 << 20, 'x') + "\"}"),
                 EventJson("ADDED", PodJson("c", "12"))}},
       {.body = {"<html>503 Service Unavailable</html>"}},
       {.body = {BookmarkJson("13")}}});
  EXPECT_EQ(Names(), "abc");
  // In each list 2, in the watch 3.
  EXPECT_EQ(Count("malformed_pods"), 7u);
  EXPECT_THAT(log_.paths.back(), HasSubstr("resourceVersion=12"));
}

TEST_F(PodWatchTest, WhatIsNoListChangesNothing) {
  Run({{.body = {ListJson({PodJson("a")})}},
       {.status = 410},
       {.body = {"{\"kind\":\"Status\",\"items\":[]}"}},
       {.body = {"{\"kind\":\"PodList\",\"metadata\":{},\"items\":[]}"}},
       {.body = {""}}});
  EXPECT_EQ(Names(), "a");
  EXPECT_EQ(Count("api_errors"), 3u);
}

TEST_F(PodWatchTest, AListWithoutEndEnds) {
  std::deque<Reply> script(10'000, Reply{.body = {ListJson({}, "1", "again")}, .takes = milliseconds(0)});
  script.push_back({.body = {ListJson({PodJson("a")})}});
  Run(std::move(script));
  EXPECT_EQ(Names(), "") << "a list that never ends is none";
}

TEST_F(PodWatchTest, ATokenThatWasExchangedIsUsedAtOnceAndOneThatWasNotAfterAWait) {
  const TemporaryDirectory directory;
  options_.token_file = directory.Write("token", "old\n");
  Run({{.status = 401, .then = [&] { directory.Write("token", "new\n"); }},
       {.status = 401},
       {.body = {ListJson({PodJson("a")})}}});
  EXPECT_THAT(log_.tokens, ElementsAre("old", "new", "new"));
  EXPECT_THAT(log_.waits, ElementsAre(milliseconds(500)));
  EXPECT_EQ(Count("api_errors"), 2u);
  EXPECT_EQ(Names(), "a");
}

TEST_F(PodWatchTest, EveryRequestHasTheTokenOfItsMoment) {
  const TemporaryDirectory directory;
  options_.token_file = directory.Write("token", "1");
  Run({{.body = {ListJson({})}, .then = [&] { directory.Write("token", "2"); }},
       {.body = {BookmarkJson("11")}, .then = [&] { directory.Write("token", "3"); }},
       {.body = {BookmarkJson("12")}}});
  EXPECT_THAT(log_.tokens, ElementsAre("1", "2", "3"));
}

TEST_F(PodWatchTest, WithoutItsTokenNothingIsAsked) {
  int waits = 0;
  auto api = std::make_unique<FakeApi>(std::deque<Reply>{{.body = {ListJson({})}}}, log_);
  FakeApi& client = *api;
  PodWatch watch({.node_name = "node-1", .token_file = "/nonexistent/token", .random = [&] {
                    if (++waits == 3) client.Stop();
                    return 0.5;
                  }},
                 std::move(api));
  watch.Run();
  EXPECT_THAT(log_.paths, IsEmpty());
  EXPECT_EQ(watch.losses()[0].count, 3u);
}

TEST_F(PodWatchTest, EachDirectoryHasAVersion) {
  Run({{.body = {ListJson({PodJson("a")})}}, {.body = {EventJson("ADDED", PodJson("b", "11"))}}});
  EXPECT_EQ(watch_->version(), 2u);
  EXPECT_EQ(watch_->directory()->size(), 2u);
}

TEST_F(PodWatchTest, TheKubeletIsAskedAgainAndAgain) {
  options_.source = PodWatch::Options::Source::kKubelet;
  // Its list has no version.
  Run({{.body = {ListJson({PodJson("a")}, "")}},
       {.body = {ListJson({PodJson("a"), PodJson("b")}, "")}},
       {.status = 401},
       {.body = {ListJson({PodJson("c")}, "")}}});
  EXPECT_THAT(log_.paths, ElementsAre("/pods", "/pods", "/pods", "/pods"));
  EXPECT_THAT(log_.waits, ElementsAre(milliseconds(500), milliseconds(9500), milliseconds(500), milliseconds(9500),
                                      milliseconds(500), milliseconds(500), milliseconds(9500)));
  EXPECT_EQ(Names(), "abc");
}

TEST_F(PodWatchTest, TheKubeletIsAskedSoonerForAPodThatIsNotKnown) {
  options_.source = PodWatch::Options::Source::kKubelet;
  Run({{.body = {ListJson({}, "")}, .then = [&] { watch_->Ask(); }}, {.body = {ListJson({PodJson("a")}, "")}}});
  EXPECT_THAT(log_.waits, ElementsAre(milliseconds(500), milliseconds(500), milliseconds(9500)));
}

TEST_F(PodWatchTest, EndsAtOnceWhateverGoesOn) {
  auto client = MakeApiClient("https://127.0.0.1:1", "");
  ASSERT_TRUE(client.ok()) << client.status();
  options_.first_backoff = options_.longest_backoff = std::chrono::hours(1);
  PodWatch watch(options_, *std::move(client));
  watch.Start();
}  // comes back

}  // namespace
}  // namespace sockflow::kubernetes

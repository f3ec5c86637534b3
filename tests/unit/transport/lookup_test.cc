// SPDX-License-Identifier: MIT
#include "transport/lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

namespace sockflow::transport {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = Lookup::Clock;

std::unique_ptr<Waiter> MakeWaiter() {
  auto waiter = Waiter::Make();
  EXPECT_TRUE(waiter.ok()) << waiter.status();
  return *std::move(waiter);
}

Lookup::Addresses Addresses(const char* address, uint16_t port) {
  return Resolve({"udp", address, port}, Purpose::kSend);
}

TEST(WaiterTest, WaitsUntilTheDeadline) {
  const auto waiter = MakeWaiter();
  const auto begin = Clock::now();
  EXPECT_EQ(waiter->Wait(-1, 0, begin + milliseconds(20)), 0);
  EXPECT_GE(Clock::now() - begin, milliseconds(20));
}

TEST(WaiterTest, AWakeEndsOneWait) {
  const auto waiter = MakeWaiter();
  waiter->Wake();
  EXPECT_EQ(waiter->Wait(-1, 0, Clock::time_point::max()), 0);  // would be for ever
  const auto begin = Clock::now();
  EXPECT_EQ(waiter->Wait(-1, 0, begin + milliseconds(10)), 0);
  EXPECT_GE(Clock::now() - begin, milliseconds(10));
  std::thread other([&] { waiter->Wake(); });
  EXPECT_EQ(waiter->Wait(-1, 0, Clock::time_point::max()), 0);
  other.join();
}

TEST(WaiterTest, TellsWhatADescriptorIsReadyFor) {
  const auto waiter = MakeWaiter();
  const auto address = Addresses("127.0.0.1", 9);
  ASSERT_TRUE(address.ok());
  int error = 0;
  const Socket socket = OpenUdp(address->front(), error);
  ASSERT_EQ(error, 0);
  EXPECT_EQ(waiter->Wait(socket.fd(), Waiter::kWritable | Waiter::kReadable,
                         Clock::now() + seconds(5)),
            Waiter::kWritable);
}

TEST(LookupTest, AnAddressIsItsOwnAnswer) {
  Lookup lookup({"udp", "192.0.2.1", 4739});
  EXPECT_TRUE(lookup.is_address());
  EXPECT_FALSE(lookup.Get().ok());
  lookup.Start();
  const auto found = lookup.Get();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->front().ToString(), "192.0.2.1:4739");
}

TEST(LookupTest, ASlowAnswerIsUsedWhenItComes) {
  std::promise<void> answer;
  Lookup lookup({"udp", "slow.example", 4739},
                [ready = answer.get_future().share()](const Url&) {
                  ready.wait();
                  return Addresses("192.0.2.7", 4739);
                });
  lookup.Start();
  const auto waiter = MakeWaiter();
  const auto early = lookup.Get(*waiter, Clock::now() + milliseconds(10));
  ASSERT_FALSE(early.ok());
  EXPECT_THAT(std::string(early.status().message()),
              testing::HasSubstr("slow.example is still being looked up"));
  answer.set_value();
  const auto late = lookup.Get(*waiter, Clock::now() + seconds(10));
  ASSERT_TRUE(late.ok()) << late.status();
  EXPECT_EQ(late->front().ToString(), "192.0.2.7:4739");
}

TEST(LookupTest, AGoodAnswerIsKeptWhileTheResolverFails) {
  std::atomic<int> calls = 0;
  Lookup lookup({"udp", "name.example", 4739}, [&calls](const Url&) -> Lookup::Addresses {
    switch (++calls) {
      case 1: return absl::UnavailableError("no answer");
      case 2: return Addresses("192.0.2.1", 4739);
      case 3: return absl::UnavailableError("no answer");
      default: return Addresses("192.0.2.2", 4739);
    }
  });
  const auto waiter = MakeWaiter();
  const auto ask = [&]() -> std::string {
    lookup.Start();
    const auto found = lookup.Get(*waiter, Clock::now() + seconds(10));
    return found.ok() ? found->front().ToString() : std::string(found.status().message());
  };
  EXPECT_EQ(ask(), "no answer");
  EXPECT_EQ(ask(), "192.0.2.1:4739");
  EXPECT_EQ(ask(), "192.0.2.1:4739");
  EXPECT_EQ(ask(), "192.0.2.2:4739");
}

TEST(LookupTest, MayGoBeforeItsAnswer) {
  std::promise<void> answer;
  std::promise<void> done;
  {
    Lookup lookup({"udp", "slow.example", 4739},
                  [ready = answer.get_future().share(), &done](const Url&) {
                    ready.wait();
                    done.set_value();
                    return Addresses("192.0.2.7", 4739);
                  });
    lookup.Start();
  }
  answer.set_value();
  done.get_future().wait();
}

}  // namespace
}  // namespace sockflow::transport

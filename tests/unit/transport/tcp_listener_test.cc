// SPDX-License-Identifier: MIT
#include "transport/tcp_listener.h"

#include <gmock/gmock.h>

#include <cerrno>

#include "gtest/gtest.h"

namespace sockflow::transport {
namespace {

using ::testing::HasSubstr;

Url At(const std::string& host, uint16_t port = 0) { return {.scheme = "tcp", .host = host, .port = port}; }

TEST(TcpListenerTest, ListensWhereItIsTold) {
  auto listener = TcpListener::Open(At("127.0.0.1"));
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_EQ((*listener)->name(), "127.0.0.1:" + std::to_string((*listener)->port()));
  int error = 0;
  EXPECT_FALSE((*listener)->Accept(error));
  EXPECT_EQ(error, EAGAIN);
}

TEST(TcpListenerTest, SaysWhoseThePortIs) {
  auto first = TcpListener::Open(At("127.0.0.1"));
  ASSERT_TRUE(first.ok());
  const std::string port = std::to_string((*first)->port());
  const auto second = TcpListener::Open(At("127.0.0.1", (*first)->port()));
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("cannot listen on tcp://127.0.0.1:" + port + ": port " + port +
                        " is in use; stop the program that has it (\"ss -tlpn sport = :" + port + "\""));
}

TEST(TcpListenerTest, SaysThatTheAddressIsNotOurs) {
  const auto listener = TcpListener::Open(At("192.0.2.1", 9841));
  EXPECT_THAT(std::string(listener.status().message()),
              HasSubstr("this host has no address 192.0.2.1; \"ip address\" lists those it has"));
}

}  // namespace
}  // namespace sockflow::transport

// SPDX-License-Identifier: MIT
#pragma once

// The record whose speed is compared with other programs': 25 elements, two of them strings.
// fixbuf_record.h has the same.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ipfix/session_fields.h"
#include "sockflow/ipfix/template.h"
#include "sockflow/session.h"

namespace sockflow::bench {

inline constexpr Time kNow = Time(std::chrono::seconds(1'800'000'000));

inline constexpr auto kFlowFields =
    ipfix::Join(ipfix::kSession, ipfix::kIpv4, ipfix::kCounters, ipfix::kReverseCounters,
                ipfix::kDuration, ipfix::kNames);
static_assert(kFlowFields.size() == 25);
inline constexpr ipfix::SessionTemplate kFlowTemplate =
    ipfix::MakeTemplate<kFlowFields>(900, "25 elements");

inline Session MakeSession(uint8_t i, std::string_view name, std::string_view parent,
                           std::string user, std::string executable) {
  const std::array<uint8_t, 4> client = {192, 0, 2, i}, server = {198, 51, 100, i};
  return {.id = uint64_t{0x123456789abc0000} + i,
          .direction = i % 2 == 0 ? Direction::kActive : Direction::kPassive,
          .last_state = TcpState::kFinWait2,
          .local = {IpAddress::V4(client), static_cast<uint16_t>(40'000 + i)},
          .remote = {IpAddress::V4(server), 443},
          .started = kNow,
          .established = kNow,
          .ended = kNow + std::chrono::milliseconds(i),
          .process = Process{.pid = 4000u + i, .parent_pid = 1, .uid = 33, .name = TaskName(name),
                             .parent_name = TaskName(parent)},
          .tcp = {.octets_sent = 1000u * i, .octets_received = 100'000u * i, .packets_sent = 10,
                  .packets_received = 20, .smoothed_rtt_us = 1234, .tcp_header_octets = 32,
                  .fin_received = true},
          .user_name = std::move(user),
          .executable = std::move(executable)};
}

// All of one program.
inline std::vector<Session> EqualSessions() {
  std::vector<Session> sessions;
  for (uint8_t i = 0; i < 64; ++i) {
    sessions.push_back(MakeSession(i, "nginx", "systemd", "www-data", "/usr/sbin/nginx"));
  }
  return sessions;
}

// Of the programs that a host with many tasks runs, in no order.
inline std::vector<Session> MixedSessions() {
  struct Program {
    std::string_view name, parent, user, executable;
  };
  constexpr Program kPrograms[] = {
      {"nginx", "nginx", "www-data", "/usr/sbin/nginx"},
      {"postgres", "postgres", "postgres", "/usr/lib/postgresql/15/bin/postgres"},
      {"java", "systemd", "tomcat", "/usr/lib/jvm/java-17-openjdk-amd64/bin/java"},
      {"sshd", "sshd", "root", "/usr/sbin/sshd"},
      {"curl", "bash", "deploy", "/usr/bin/curl"},
      {"redis-server", "systemd", "redis", "/usr/bin/redis-check-rdb"},
      {"python3", "gunicorn", "app", "/usr/bin/python3.11"},
      {"node_exporter", "systemd", "prometheus", "/usr/local/bin/node_exporter"},
      {"systemd-resolve", "systemd", "systemd-resolve", "/usr/lib/systemd/systemd-resolved"},
      {"haproxy", "haproxy", "haproxy", "/usr/sbin/haproxy"},
  };
  std::vector<Session> sessions;
  uint32_t random = 1;
  for (int i = 0; i < 1009; ++i) {
    random = random * 1664525 + 1013904223;
    const Program& program = kPrograms[(random >> 16) % std::size(kPrograms)];
    sessions.push_back(MakeSession(static_cast<uint8_t>(i), program.name, program.parent,
                                   std::string(program.user), std::string(program.executable)));
  }
  return sessions;
}

}  // namespace sockflow::bench

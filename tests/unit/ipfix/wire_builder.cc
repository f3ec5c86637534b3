// SPDX-License-Identifier: MIT
#include "tests/unit/ipfix/wire_builder.h"

#include <chrono>

namespace sockflow::ipfix {
namespace {

void Put16(size_t number, Bytes& out) {
  out.push_back(static_cast<uint8_t>(number >> 8));
  out.push_back(static_cast<uint8_t>(number));
}

}  // namespace

Bytes Hex(std::string_view digits) {
  Bytes octets;
  int high = -1;
  for (const char digit : digits) {
    if (digit == ' ' || digit == '\n') continue;
    const int value = digit <= '9' ? digit - '0' : digit - 'a' + 10;
    if (high < 0) {
      high = value;
    } else {
      octets.push_back(static_cast<uint8_t>(high << 4 | value));
      high = -1;
    }
  }
  return octets;
}

Bytes MakeMessage(const std::vector<std::string_view>& sets, uint32_t sequence) {
  Bytes body;
  for (const std::string_view set : sets) {
    const Bytes octets = Hex(set);
    body.insert(body.end(), octets.begin(), octets.begin() + 2);
    Put16(octets.size() + 2, body);
    body.insert(body.end(), octets.begin() + 2, octets.end());
  }
  Bytes message = {0, 10};
  Put16(16 + body.size(), message);
  const Bytes time = Hex("00000001");
  message.insert(message.end(), time.begin(), time.end());
  Put16(sequence >> 16, message);
  Put16(sequence & 0xffff, message);
  const Bytes domain = Hex("00000007");
  message.insert(message.end(), domain.begin(), domain.end());
  message.insert(message.end(), body.begin(), body.end());
  return message;
}

Session ExampleSession() {
  Session session;
  session.id = 0x0102030405060708;
  session.direction = Direction::kActive;
  session.local = {*IpAddress::Parse("192.0.2.1"), 40000};
  session.remote = {*IpAddress::Parse("198.51.100.7"), 443};
  session.started = Time(std::chrono::milliseconds(1795253212123));
  session.established = session.started + std::chrono::milliseconds(20);
  session.ended = session.started + std::chrono::milliseconds(3000);
  session.last_state = TcpState::kFinWait2;
  session.process = Process{.pid = 4242,
                            .thread_id = 4243,
                            .parent_pid = 1,
                            .uid = 1000,
                            .name = TaskName("curl"),
                            .parent_name = TaskName("systemd")};
  session.tcp = {.octets_sent = 500,
                 .octets_received = 20000,
                 .packets_sent = 12,
                 .packets_received = 18,
                 .retransmitted_packets = 2,
                 .smoothed_rtt_us = 25000,
                 .tcp_header_octets = 32};
  session.user_name = "alice";
  session.executable = "/usr/bin/curl";
  return session;
}

}  // namespace sockflow::ipfix

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "ipfix/utf8.h"
#include "ipfix/wire.h"
#include "sockflow/ip_address.h"

namespace sockflow::ipfix {

// Longer strings are cut. A path may have 4096 octets; what tells executables apart has far fewer,
// and a record has to fit into a datagram with others.
inline constexpr size_t kMaxStringOctets = 1024;

// Writes the values of one record, unchecked: whoever makes it sees to it that there is room for
// the fields of fixed length, three octets for the length of each other field, and `string_budget`
// octets for all strings together. Strings are cut so that they fit the budget.
class Writer {
 public:
  Writer(uint8_t* at, size_t string_budget) : at_(at), string_budget_(string_budget) {}

  uint8_t* at() const { return at_; }

  template <size_t kOctets>
  void Unsigned(uint64_t number) {
    StoreBigEndian<kOctets>(number, at_);
    at_ += kOctets;
  }

  // Only for an IPv4 address.
  void Ipv4(const IpAddress& address) {
    std::memcpy(at_, address.octets().data(), 4);
    at_ += 4;
  }

  // An IPv4 address as an IPv4-mapped one (RFC 4291 2.5.5.2).
  void Ipv6(const IpAddress& address) {
    if (address.is_v4()) {
      constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
      std::memcpy(at_, kMapped, 12);
      std::memcpy(at_ + 12, address.octets().data(), 4);
    } else {
      std::memcpy(at_, address.octets().data(), 16);
    }
    at_ += 16;
  }

  // "8f1bc6f2-4a4e-4c0e-9f3a-0b6f1d2c3e4f", or without dashes, as its 16 octets; all 0 for anything else.
  void Uuid(std::string_view text) {
    std::memset(at_, 0, 16);
    if (!text.empty()) PutUuid(text, at_);
    at_ += 16;
  }

  // With its length before it (RFC 7011 7), as valid UTF-8 without NUL.
  void String(std::string_view text) {
    if (text.size() < kLongLength && text.size() <= string_budget_ && CopyAscii(text, at_ + 1)) {
      *at_ = static_cast<uint8_t>(text.size());
      at_ += 1 + text.size();
      string_budget_ -= text.size();
      return;
    }
    const size_t written = PutAnyString(text, at_, std::min(kMaxStringOctets, string_budget_));
    string_budget_ -= written;
    at_ += written + (written < kLongLength ? 1 : 3);
  }

  // In a field of fixed length: as valid UTF-8, cut between two characters, with NULs behind it.
  template <size_t kOctets>
  void FixedString(std::string_view text) {
    std::memset(at_, 0, kOctets);
    // What is not ASCII after all is written once more, over the octets that were tried.
    if (text.size() > kOctets || !CopyAscii(text, at_)) PutAnyFixedString(text, at_, kOctets);
    at_ += kOctets;
  }

 private:
  // Returns the octets of the string without its length. Static, so that a Writer can live in
  // registers.
  static size_t PutAnyString(std::string_view text, uint8_t* at, size_t limit);
  static void PutUuid(std::string_view text, uint8_t* at);
  static void PutAnyFixedString(std::string_view text, uint8_t* at, size_t octets);

  uint8_t* at_;
  size_t string_budget_;
};

}  // namespace sockflow::ipfix

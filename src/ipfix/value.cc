// SPDX-License-Identifier: MIT
#include "sockflow/ipfix/value.h"

#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>

#include "ipfix/utf8.h"
#include "ipfix/wire.h"

namespace sockflow::ipfix {
namespace {

using Octets = std::span<const uint8_t>;

// NTP counts in eras of 2^32 seconds (RFC 5905 6).
constexpr int64_t kNtpEraSeconds = int64_t{1} << 32;

// RFC 7011 6.1.9 and 6.1.10. Which era a time lies in is not sent (RFC 7011 5.2): a first bit of 0
// would be before 1968 in the first era, which no flow is, so it means the second, from 2036.
Time FromNtp(uint64_t timestamp, Type type) {
  int64_t seconds = static_cast<int64_t>(timestamp >> 32);
  uint64_t fraction = timestamp & 0xFFFFFFFF;
  if ((timestamp >> 63) == 0) seconds += kNtpEraSeconds;
  // Encoding cuts less than half a unit off; rounding to the nearest gives the unit back.
  int64_t nanoseconds = 0;
  if (type == Type::kDateTimeMicroseconds) {
    fraction &= ~kNtpMicrosecondsUnused;
    nanoseconds = static_cast<int64_t>((fraction * 1'000'000 + 0x80000000) >> 32) * 1000;
  } else {
    nanoseconds = static_cast<int64_t>((fraction * 1'000'000'000 + 0x80000000) >> 32);
  }
  return Time(std::chrono::seconds(seconds - kNtpToUnixSeconds) +
              std::chrono::nanoseconds(nanoseconds));
}

template <typename Number>
void AppendNumber(Number number, std::string& out) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof(text), number);
  out.append(text, end);
}

constexpr char kHexDigits[] = "0123456789abcdef";

void AppendHexOctet(uint8_t octet, std::string& out) {
  out += kHexDigits[octet >> 4];
  out += kHexDigits[octet & 0xF];
}

ValueKind AppendHex(Octets octets, std::string& out) {
  out.reserve(out.size() + 2 * octets.size());
  for (const uint8_t octet : octets) AppendHexOctet(octet, out);
  return ValueKind::kString;
}

// With leading zeros.
void AppendDigits(uint64_t number, int digits, std::string& out) {
  char text[20];
  for (int i = digits; i-- > 0; number /= 10) text[i] = static_cast<char>('0' + number % 10);
  out.append(text, static_cast<size_t>(digits));
}

int FractionDigits(Type type) {
  switch (type) {
    case Type::kDateTimeMilliseconds: return 3;
    case Type::kDateTimeMicroseconds: return 6;
    case Type::kDateTimeNanoseconds: return 9;
    default: return 0;
  }
}

void AppendTime(Time time, Type type, std::string& out) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  AppendDigits(static_cast<uint64_t>(static_cast<int>(date.year())), 4, out);
  out += '-';
  AppendDigits(static_cast<unsigned>(date.month()), 2, out);
  out += '-';
  AppendDigits(static_cast<unsigned>(date.day()), 2, out);
  out += 'T';
  AppendDigits(static_cast<uint64_t>(clock.hours().count()), 2, out);
  out += ':';
  AppendDigits(static_cast<uint64_t>(clock.minutes().count()), 2, out);
  out += ':';
  AppendDigits(static_cast<uint64_t>(clock.seconds().count()), 2, out);
  const int digits = FractionDigits(type);
  if (digits > 0) {
    auto fraction = static_cast<uint64_t>(clock.subseconds().count());
    for (int i = digits; i < 9; ++i) fraction /= 10;
    out += '.';
    AppendDigits(fraction, digits, out);
  }
  out += 'Z';
}

ValueKind AppendFloat(Octets octets, std::string& out) {
  const double number = *ReadFloat(octets);
  if (std::isnan(number)) {
    out += "NaN";
    return ValueKind::kString;
  }
  if (std::isinf(number)) {
    out += number < 0 ? "-Infinity" : "Infinity";
    return ValueKind::kString;
  }
  // The shortest decimal that reads back as the same number, in the precision that was sent.
  if (octets.size() == 4) {
    AppendNumber(static_cast<float>(number), out);
  } else {
    AppendNumber(number, out);
  }
  return ValueKind::kNumber;
}

ValueKind AppendAddress(Octets octets, std::string& out) {
  const IpAddress address = *ReadAddress(octets);
  if (octets.size() == 16 && address.is_v4()) out += "::ffff:";  // as sent
  out += address.ToString();
  return ValueKind::kString;
}

}  // namespace

std::optional<uint64_t> ReadUnsigned(Octets octets) {
  if (octets.empty() || octets.size() > 8) return std::nullopt;
  uint64_t number = 0;
  for (const uint8_t octet : octets) number = number << 8 | octet;
  return number;
}

std::optional<int64_t> ReadSigned(Octets octets) {
  const std::optional<uint64_t> number = ReadUnsigned(octets);
  if (!number.has_value()) return std::nullopt;
  const int unused_bits = 64 - 8 * static_cast<int>(octets.size());
  return static_cast<int64_t>(*number << unused_bits) >> unused_bits;
}

std::optional<double> ReadFloat(Octets octets) {
  if (octets.size() == 4) {
    return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(*ReadUnsigned(octets))));
  }
  if (octets.size() == 8) return std::bit_cast<double>(*ReadUnsigned(octets));
  return std::nullopt;
}

std::optional<bool> ReadBoolean(Octets octets) {
  if (octets.size() != 1 || octets[0] < 1 || octets[0] > 2) return std::nullopt;
  return octets[0] == 1;
}

std::optional<Time> ReadTime(Type type, Octets octets) {
  constexpr uint64_t kMaxMilliseconds = std::numeric_limits<int64_t>::max() / 1'000'000;
  if (octets.size() != (type == Type::kDateTimeSeconds ? 4u : 8u)) return std::nullopt;
  const uint64_t number = *ReadUnsigned(octets);
  switch (type) {
    case Type::kDateTimeSeconds:
      return Time(std::chrono::seconds(static_cast<int64_t>(number)));
    case Type::kDateTimeMilliseconds:
      if (number > kMaxMilliseconds) return std::nullopt;
      return Time(std::chrono::milliseconds(static_cast<int64_t>(number)));
    case Type::kDateTimeMicroseconds:
    case Type::kDateTimeNanoseconds: return FromNtp(number, type);
    default: return std::nullopt;
  }
}

std::optional<IpAddress> ReadAddress(Octets octets) {
  if (octets.size() == 4) return IpAddress::V4(octets.first<4>());
  if (octets.size() == 16) return IpAddress::V6(octets.first<16>());
  return std::nullopt;
}

std::string_view ReadString(Octets octets) {
  size_t size = octets.size();
  while (size > 0 && octets[size - 1] == 0) --size;
  return {reinterpret_cast<const char*>(octets.data()), size};
}

ValueKind AppendValue(const Element* element, Octets octets, std::string& out) {
  if (element == nullptr) return AppendHex(octets, out);
  switch (element->type) {
    case Type::kUnsigned8:
    case Type::kUnsigned16:
    case Type::kUnsigned32:
    case Type::kUnsigned64:
    case Type::kUnsigned256:
      if (const auto number = ReadUnsigned(octets)) {
        AppendNumber(*number, out);
        return ValueKind::kNumber;
      }
      break;
    case Type::kSigned8:
    case Type::kSigned16:
    case Type::kSigned32:
    case Type::kSigned64:
      if (const auto number = ReadSigned(octets)) {
        AppendNumber(*number, out);
        return ValueKind::kNumber;
      }
      break;
    case Type::kFloat32:
    case Type::kFloat64:
      if (ReadFloat(octets)) return AppendFloat(octets, out);
      break;
    case Type::kBoolean:
      if (const auto truth = ReadBoolean(octets)) {
        out += *truth ? "true" : "false";
        return ValueKind::kBoolean;
      }
      break;
    case Type::kMacAddress:
      if (octets.size() != 6) break;
      for (size_t i = 0; i < 6; ++i) {
        if (i > 0) out += ':';
        AppendHexOctet(octets[i], out);
      }
      return ValueKind::kString;
    case Type::kString: out += ReadString(octets); return ValueKind::kString;
    case Type::kDateTimeSeconds:
    case Type::kDateTimeMilliseconds:
    case Type::kDateTimeMicroseconds:
    case Type::kDateTimeNanoseconds:
      if (const auto time = ReadTime(element->type, octets)) {
        AppendTime(*time, element->type, out);
        return ValueKind::kString;
      }
      break;
    case Type::kIpv4Address:
      if (octets.size() == 4) return AppendAddress(octets, out);
      break;
    case Type::kIpv6Address:
      if (octets.size() == 16) return AppendAddress(octets, out);
      break;
    case Type::kOctetArray:
    case Type::kBasicList:
    case Type::kSubTemplateList:
    case Type::kSubTemplateMultiList: break;
  }
  return AppendHex(octets, out);
}

void AppendUtf8(std::string_view octets, std::string& out) {
  size_t valid = 0;  // octets at the start that are valid and not yet appended
  while (valid < octets.size()) {
    const Utf8Character character = FirstCharacter(octets.substr(valid));
    if (character.valid) {
      valid += character.octets;
      continue;
    }
    out += octets.substr(0, valid);
    out += kReplacementCharacter;
    octets.remove_prefix(valid + character.octets);
    valid = 0;
  }
  out += octets;
}

}  // namespace sockflow::ipfix

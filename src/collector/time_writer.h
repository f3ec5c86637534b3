// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "sockflow/time.h"

namespace sockflow::collector {

// Two and three decimal digits with leading zeros.
inline char* WriteTwoDigits(unsigned value, char* out) {
  *out++ = static_cast<char>('0' + value / 10);
  *out++ = static_cast<char>('0' + value % 10);
  return out;
}
inline char* WriteThreeDigits(unsigned value, char* out) {
  *out++ = static_cast<char>('0' + value / 100);
  return WriteTwoDigits(value % 100, out);
}

// Writes times as text. Records come in the order of time, more or less, so that the calendar is
// asked once a minute (UTC) or a quarter of an hour (local time, whose offset from UTC changes at
// no other moments) instead of for every record.
class TimeWriter {
 public:
  static constexpr size_t kMaxOctets = 40;

  // The last moment that Time can hold, in whole milliseconds.
  static constexpr uint64_t kMaxMilliseconds =
      static_cast<uint64_t>(Time::max().time_since_epoch().count() / 1'000'000);

  // "2026-11-21T09:26:52.123Z"; at most kMaxMilliseconds since 1970.
  char* WriteUtc(uint64_t milliseconds, char* out) {
    const uint64_t minute = milliseconds / 60'000;
    if (minute != utc_minute_) ReadUtcCalendar(minute);
    std::memcpy(out, utc_.data(), utc_.size());
    const auto rest = static_cast<unsigned>(milliseconds % 60'000);
    out = WriteTwoDigits(rest / 1000, out + utc_.size());
    *out++ = '.';
    out = WriteThreeDigits(rest % 1000, out);
    *out++ = 'Z';
    return out;
  }

  // "2026-11-21 10:26:52.123", or the time of day alone, in the zone of the program.
  char* WriteLocal(Time time, bool date, char* out);

 private:
  void ReadUtcCalendar(uint64_t minute);
  void ReadLocalCalendar(int64_t quarter);

  uint64_t utc_minute_ = UINT64_MAX;
  std::array<char, 17> utc_{};  // "2026-11-21T09:26:"
  int64_t local_quarter_ = INT64_MAX;
  std::array<char, 11> local_date_{};  // "2026-11-21 "
  unsigned local_seconds_ = 0;         // of the day, at the beginning of the quarter
};

}  // namespace sockflow::collector

// SPDX-License-Identifier: MIT
#include "collector/time_writer.h"

#include <time.h>

namespace sockflow::collector {
namespace {

constexpr int64_t kQuarter = 15 * 60;

char* WriteDate(int year, unsigned month, unsigned day, char* out) {
  out = WriteTwoDigits(static_cast<unsigned>(year / 100 % 100), out);
  out = WriteTwoDigits(static_cast<unsigned>(year % 100), out);
  *out++ = '-';
  out = WriteTwoDigits(month, out);
  *out++ = '-';
  return WriteTwoDigits(day, out);
}

}  // namespace

void TimeWriter::ReadUtcCalendar(uint64_t minute) {
  using std::chrono::sys_days;
  using std::chrono::year_month_day;
  const year_month_day date(sys_days(std::chrono::days(minute / 1440)));
  const auto of_day = static_cast<unsigned>(minute % 1440);
  char* out = WriteDate(static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                        static_cast<unsigned>(date.day()), utc_.data());
  *out++ = 'T';
  out = WriteTwoDigits(of_day / 60, out);
  *out++ = ':';
  out = WriteTwoDigits(of_day % 60, out);
  *out = ':';
  utc_minute_ = minute;
}

void TimeWriter::ReadLocalCalendar(int64_t quarter) {
  const time_t begin = static_cast<time_t>(quarter * kQuarter);
  struct tm local {};
  if (localtime_r(&begin, &local) == nullptr) gmtime_r(&begin, &local);
  *WriteDate(local.tm_year + 1900, static_cast<unsigned>(local.tm_mon + 1),
             static_cast<unsigned>(local.tm_mday), local_date_.data()) = ' ';
  local_seconds_ = static_cast<unsigned>(local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec);
  local_quarter_ = quarter;
}

char* TimeWriter::WriteLocal(Time time, bool date, char* out) {
  const auto milliseconds =
      std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
  const auto quarter =
      std::chrono::floor<std::chrono::duration<int64_t, std::ratio<kQuarter>>>(time)
          .time_since_epoch()
          .count();
  if (quarter != local_quarter_) ReadLocalCalendar(quarter);
  const auto into_quarter = static_cast<unsigned>(milliseconds - quarter * kQuarter * 1000);
  const unsigned seconds = local_seconds_ + into_quarter / 1000;
  if (date) {
    std::memcpy(out, local_date_.data(), local_date_.size());
    out += local_date_.size();
  }
  out = WriteTwoDigits(seconds / 3600 % 24, out);
  *out++ = ':';
  out = WriteTwoDigits(seconds / 60 % 60, out);
  *out++ = ':';
  out = WriteTwoDigits(seconds % 60, out);
  *out++ = '.';
  return WriteThreeDigits(into_quarter % 1000, out);
}

}  // namespace sockflow::collector

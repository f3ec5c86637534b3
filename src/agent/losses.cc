// SPDX-License-Identifier: MIT
#include "agent/losses.h"

#include <utility>

#include "fmt/format.h"

namespace sockflow {
namespace {

uint64_t Sum(const std::vector<LossCounter>& losses) {
  uint64_t sum = 0;
  for (const LossCounter& loss : losses) sum += loss.count;
  return sum;
}

}  // namespace

void Losses::Update(std::vector<LossCounter> counters, Time now) {
  if (Sum(counters) > Sum(counters_)) {
    if (!first_.has_value()) first_ = now;
    last_ = now;
  }
  counters_ = std::move(counters);
}

Losses Losses::Copy(const ipfix::MeteringStatistics& statistics) {
  Losses copy;
  for (const ipfix::MeteringLoss& loss : statistics.losses) {
    copy.counters_.push_back({std::string(loss.reason), loss.count});
  }
  copy.first_ = statistics.first_loss;
  copy.last_ = statistics.last_loss;
  return copy;
}

ipfix::MeteringStatistics Losses::statistics() {
  metering_.clear();
  for (const LossCounter& loss : counters_) metering_.push_back({loss.reason, loss.count});
  return {.losses = metering_, .first_loss = first_, .last_loss = last_};
}

std::string ListLosses(const std::vector<LossCounter>& losses) {
  std::string list;
  for (const LossCounter& loss : losses) {
    if (loss.count == 0) continue;
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", loss.reason, loss.count);
  }
  return list;
}

}  // namespace sockflow

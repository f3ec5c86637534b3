// SPDX-License-Identifier: MIT
#include "collector/complaints.h"

#include "spdlog/spdlog.h"

namespace sockflow::collector {
namespace {

constexpr auto kPause = std::chrono::minutes(1);

}  // namespace

void Complaints::Say(std::string_view kind, std::string_view sentence, Moment now) {
  const auto [it, is_new] = kinds_.try_emplace(std::string(kind));
  if (is_new) {
    it->second.said = now;
    spdlog::warn("{}", sentence);
    return;
  }
  ++it->second.held_back;
  it->second.last = sentence;
  if (now - it->second.said >= kPause) SayHeldBack(it->second, now);
}

void Complaints::Tick(Moment now) {
  for (auto& [name, kind] : kinds_) {
    if (kind.held_back > 0 && now - kind.said >= kPause) SayHeldBack(kind, now);
  }
}

void Complaints::SayHeldBack(Kind& kind, Moment now) {
  spdlog::warn("{} ({} such since the last line of this kind)", kind.last, kind.held_back);
  kind.said = now;
  kind.held_back = 0;
}

}  // namespace sockflow::collector

// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/exporter.h"
#include "sockflow/config.h"

namespace sockflow {

// Every collector's exporter, and those that are on their way out. Changes while the agent runs without
// losing a record: each goes to the exporters of its moment.
class Exporters {
 public:
  using Moment = Exporter::Moment;
  using Metering = std::function<ipfix::MeteringStatistics()>;

  // All that decides how an exporter works: one with equal facts need not be replaced.
  struct Facts {
    CollectorConfig collector;
    Config::Exporter exporter;
    friend bool operator==(const Facts&, const Facts&) = default;
  };
  using Make = std::function<absl::StatusOr<std::unique_ptr<Exporter>>(const Facts&)>;

  // Where statistics take from what was not seen; unset: nothing was lost.
  void set_metering(Metering metering) { metering_ = std::move(metering); }

  // Makes those that are wanted and not there, and retires those that are not wanted: what they hold is
  // sent for at most `time`. All or nothing: at an error everything stays as it was.
  absl::Status Replace(const std::vector<CollectorGroup>& wanted, const Config::Exporter& config,
                       const Make& make, Duration time);
  // One that gets every session, and that Replace leaves alone.
  void Add(std::unique_ptr<Exporter> exporter);

  void Export(const SessionRecord& record, Moment now);
  Moment NextDeadline(Moment now) const;
  void OnTime(Moment now);
  // Whether every one has room for much more.
  bool HasRoom() const;
  // All at the same time; comes back when all have ended.
  void Finish(Duration time);

  // In the order of the configuration, then those that were added; a retired one is not among them.
  std::vector<Exporter*> list() const;

 private:
  struct Entry {
    std::optional<Facts> facts;
    std::unique_ptr<Exporter> exporter;
    uint64_t place = 0;  // of its first URL, for the choice within a group
  };
  struct Group {
    CollectorGroup::Policy policy = CollectorGroup::Policy::kReplicate;
    std::vector<Entry> entries;
  };

  std::unique_ptr<Exporter> Take(const Facts& facts);

  std::vector<Group> groups_;
  std::vector<std::unique_ptr<Exporter>> retired_;
  Metering metering_ = [] { return ipfix::MeteringStatistics(); };
};

}  // namespace sockflow

// SPDX-License-Identifier: MIT
#include "agent/startup_line.h"

#include <vector>

#include "fmt/format.h"

namespace sockflow {
namespace {

std::string RecordsOf(const RecordChoice& choice) {
  std::vector<std::string_view> words;
  if (choice.start) words.push_back("start");
  if (choice.update) words.push_back("update");
  if (choice.end) words.push_back("end");
  return fmt::format("{}", fmt::join(words, "+"));
}

std::string Describe(const CollectorConfig& collector) {
  std::string text;
  for (const EndpointConfig& endpoint : collector.endpoints) {
    text += fmt::format("{}{}", text.empty() ? "" : " else ", endpoint.url);
  }
  text += collector.fields.empty() ? fmt::format(" ({}", ToString(collector.profile))
                                   : fmt::format(" ({} fields", collector.fields.size());
  text += ", " + RecordsOf(collector.records);
  if (!collector.spool.directory.empty()) text += ", spool";
  return text + ")";
}

std::string CollectorsOf(const Config& config) {
  std::string all;
  for (const CollectorGroup& group : config.collectors) {
    std::vector<std::string> members;
    for (const CollectorConfig& collector : group.collectors) members.push_back(Describe(collector));
    const bool by_hash = group.policy == CollectorGroup::Policy::kHash;
    all += fmt::format("{}{}{}", all.empty() ? "" : ", ", by_hash ? "by hash to one of " : "",
                       fmt::join(members, by_hash ? " | " : ", "));
  }
  return all;
}

std::string FactsOf(const Config& config) {
  std::string facts = "processes, users, containers";
  if (config.process.command_line) facts += ", command lines";
  if (config.kubernetes.enabled) facts += ", pods";
  return facts;
}

}  // namespace

std::string StartupLine(const Config& config, std::string_view tier, std::string_view kernel) {
  return fmt::format("sockflow {} on Linux {}: tier {}; facts: {}; to {}; metrics {}", SOCKFLOW_VERSION, kernel,
                     tier, FactsOf(config), CollectorsOf(config),
                     config.metrics.listen.empty() ? "off" : config.metrics.listen);
}

}  // namespace sockflow

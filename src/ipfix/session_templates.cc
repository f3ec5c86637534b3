// SPDX-License-Identifier: MIT

// THE templates: the lists of session_fields.h joined, and which profile has which.

#include "ipfix/session_templates.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "ipfix/session_fields.h"

namespace sockflow::ipfix {
namespace {

constexpr auto kIanaStart4 = Join(kSession, kIpv4, kNames);
constexpr auto kIanaStart6 = Join(kSession, kIpv6, kNames);
constexpr auto kIanaEnd4 = Join(kSession, kIpv4, kCounters, kNames);
constexpr auto kIanaEnd6 = Join(kSession, kIpv6, kCounters, kNames);

constexpr auto kFixedStart4 = Join(kSession, kIpv4, kFixedNames);
constexpr auto kFixedStart6 = Join(kSession, kIpv6, kFixedNames);
constexpr auto kFixedEnd4 = Join(kSession, kIpv4, kCounters, kFixedNames);
constexpr auto kFixedEnd6 = Join(kSession, kIpv6, kCounters, kFixedNames);

constexpr auto kActiveStart4 = Join(kIanaStart4, kSourceProcess);
constexpr auto kActiveStart6 = Join(kIanaStart6, kSourceProcess);
constexpr auto kPassiveStart4 = Join(kIanaStart4, kDestinationProcess);
constexpr auto kPassiveStart6 = Join(kIanaStart6, kDestinationProcess);
constexpr auto kActiveEnd4 = Join(kIanaEnd4, kSourceQuality, kSourceProcess);
constexpr auto kActiveEnd6 = Join(kIanaEnd6, kSourceQuality, kSourceProcess);
constexpr auto kPassiveEnd4 = Join(kIanaEnd4, kDestinationQuality, kDestinationProcess);
constexpr auto kPassiveEnd6 = Join(kIanaEnd6, kDestinationQuality, kDestinationProcess);

// Totals go before deltas: nfdump takes both for the same, and the last of them stands.
constexpr auto kTotalsEnd4 = Join(kSession, kIpv4, kTotals, kCounters, kNames);
constexpr auto kTotalsEnd6 = Join(kSession, kIpv6, kTotals, kCounters, kNames);

// All but the command line.
constexpr auto kMostActiveStart4 =
    Join(kIanaStart4, kPods, kSourceProcess, kPodLabels);
constexpr auto kMostActiveStart6 =
    Join(kIanaStart6, kPods, kSourceProcess, kPodLabels);
constexpr auto kMostPassiveStart4 =
    Join(kIanaStart4, kPods, kDestinationProcess, kPodLabels);
constexpr auto kMostPassiveStart6 =
    Join(kIanaStart6, kPods, kDestinationProcess, kPodLabels);
constexpr auto kMostActiveEnd4 = Join(kTotalsEnd4, kReverseCounters, kSourceQuality, kPods,
                                      kSourceProcess, kPodLabels);
constexpr auto kMostActiveEnd6 = Join(kTotalsEnd6, kReverseCounters, kSourceQuality, kPods,
                                      kSourceProcess, kPodLabels);
constexpr auto kMostPassiveEnd4 = Join(kTotalsEnd4, kReverseCounters, kDestinationQuality, kPods,
                                      kDestinationProcess, kPodLabels);
constexpr auto kMostPassiveEnd6 = Join(kTotalsEnd6, kReverseCounters, kDestinationQuality, kPods,
                                      kDestinationProcess, kPodLabels);

constexpr auto kFullActiveStart4 = Join(kMostActiveStart4, kSourceCommandLine);
constexpr auto kFullActiveStart6 = Join(kMostActiveStart6, kSourceCommandLine);
constexpr auto kFullPassiveStart4 = Join(kMostPassiveStart4, kDestinationCommandLine);
constexpr auto kFullPassiveStart6 = Join(kMostPassiveStart6, kDestinationCommandLine);
constexpr auto kFullActiveEnd4 = Join(kMostActiveEnd4, kSourceCommandLine);
constexpr auto kFullActiveEnd6 = Join(kMostActiveEnd6, kSourceCommandLine);
constexpr auto kFullPassiveEnd4 = Join(kMostPassiveEnd4, kDestinationCommandLine);
constexpr auto kFullPassiveEnd6 = Join(kMostPassiveEnd6, kDestinationCommandLine);

// Ours go first, but for what may be long.
constexpr auto kOwnStart = Join(kOwnSession, kOwnProcess, kOwnPods);
constexpr auto kOwnEnd = Join(kOwnStart, kOwnQuality);
constexpr auto kOwnActiveStart4 =
    Join(kOwnStart, kMostActiveStart4, kOwnCgroupPath, kSourceCommandLine);
constexpr auto kOwnActiveStart6 =
    Join(kOwnStart, kMostActiveStart6, kOwnCgroupPath, kSourceCommandLine);
constexpr auto kOwnPassiveStart4 =
    Join(kOwnStart, kMostPassiveStart4, kOwnCgroupPath, kDestinationCommandLine);
constexpr auto kOwnPassiveStart6 =
    Join(kOwnStart, kMostPassiveStart6, kOwnCgroupPath, kDestinationCommandLine);
constexpr auto kOwnActiveEnd4 =
    Join(kOwnEnd, kMostActiveEnd4, kOwnCgroupPath, kSourceCommandLine);
constexpr auto kOwnActiveEnd6 =
    Join(kOwnEnd, kMostActiveEnd6, kOwnCgroupPath, kSourceCommandLine);
constexpr auto kOwnPassiveEnd4 =
    Join(kOwnEnd, kMostPassiveEnd4, kOwnCgroupPath, kDestinationCommandLine);
constexpr auto kOwnPassiveEnd6 =
    Join(kOwnEnd, kMostPassiveEnd6, kOwnCgroupPath, kDestinationCommandLine);

// Every template there is, with the id it has for ever: collectors and archives of messages know a
// layout by it. One that is changed needs a new id; 301 to 308 were those of profile process without
// the container, 321 to 328 and 331 to 338 those of profile full without totals. 256 is that of the
// program that sockflow replaces, 5xx are those of options (options_records.cc), from 0x8000 on are
// those of lists of one's own.
//
// An update has the template of an end.
//
// Where a profile has eight they are in the order of RecordShape::index().
constexpr auto kProcessTemplates = std::to_array<SessionTemplate>({
    MakeTemplate<kActiveStart4>(311, "process-start-ipv4-active"),
    MakeTemplate<kPassiveStart4>(312, "process-start-ipv4-passive"),
    MakeTemplate<kActiveStart6>(313, "process-start-ipv6-active"),
    MakeTemplate<kPassiveStart6>(314, "process-start-ipv6-passive"),
    MakeTemplate<kActiveEnd4>(315, "process-end-ipv4-active"),
    MakeTemplate<kPassiveEnd4>(316, "process-end-ipv4-passive"),
    MakeTemplate<kActiveEnd6>(317, "process-end-ipv6-active"),
    MakeTemplate<kPassiveEnd6>(318, "process-end-ipv6-passive"),
});
constexpr auto kFullTemplates = std::to_array<SessionTemplate>({
    MakeTemplate<kFullActiveStart4>(341, "full-start-ipv4-active"),
    MakeTemplate<kFullPassiveStart4>(342, "full-start-ipv4-passive"),
    MakeTemplate<kFullActiveStart6>(343, "full-start-ipv6-active"),
    MakeTemplate<kFullPassiveStart6>(344, "full-start-ipv6-passive"),
    MakeTemplate<kFullActiveEnd4>(345, "full-end-ipv4-active"),
    MakeTemplate<kFullPassiveEnd4>(346, "full-end-ipv4-passive"),
    MakeTemplate<kFullActiveEnd6>(347, "full-end-ipv6-active"),
    MakeTemplate<kFullPassiveEnd6>(348, "full-end-ipv6-passive"),
});
constexpr auto kOwnTemplates = std::to_array<SessionTemplate>({
    MakeTemplate<kOwnActiveStart4>(351, "full-own-start-ipv4-active"),
    MakeTemplate<kOwnPassiveStart4>(352, "full-own-start-ipv4-passive"),
    MakeTemplate<kOwnActiveStart6>(353, "full-own-start-ipv6-active"),
    MakeTemplate<kOwnPassiveStart6>(354, "full-own-start-ipv6-passive"),
    MakeTemplate<kOwnActiveEnd4>(355, "full-own-end-ipv4-active"),
    MakeTemplate<kOwnPassiveEnd4>(356, "full-own-end-ipv4-passive"),
    MakeTemplate<kOwnActiveEnd6>(357, "full-own-end-ipv6-active"),
    MakeTemplate<kOwnPassiveEnd6>(358, "full-own-end-ipv6-passive"),
});
constexpr auto kIanaTemplates = std::to_array<SessionTemplate>({
    MakeTemplate<kIanaStart4>(401, "iana-start-ipv4"),
    MakeTemplate<kIanaStart6>(402, "iana-start-ipv6"),
    MakeTemplate<kIanaEnd4>(403, "iana-end-ipv4"),
    MakeTemplate<kIanaEnd6>(404, "iana-end-ipv6"),
});
constexpr auto kFixedTemplates = std::to_array<SessionTemplate>({
    MakeTemplate<kFixedStart4>(411, "fixed-start-ipv4"),
    MakeTemplate<kFixedStart6>(412, "fixed-start-ipv6"),
    MakeTemplate<kFixedEnd4>(413, "fixed-end-ipv4"),
    MakeTemplate<kFixedEnd6>(414, "fixed-end-ipv6"),
});
constexpr auto kSsflowTemplates = [] {
  auto description = MakeTemplate<kSsflow>(256, "ssflow");
  description.padded = false;
  return std::array{description};
}();

constexpr std::array<uint8_t, kRecordShapes> kOneForEachShape = {0, 1, 2, 3, 4, 5, 6, 7};
constexpr std::array<uint8_t, kRecordShapes> kSameForBothSides = {0, 0, 1, 1, 2, 2, 3, 3};
constexpr uint8_t kNone = TemplateSet::kNone;
constexpr std::array<uint8_t, kRecordShapes> kOneForIpv4 = {0, 0, kNone, kNone,
                                                            0, 0, kNone, kNone};

struct ProfileFacts {
  std::string_view name;
  TemplateSet standard;
  TemplateSet with_own;
};

constexpr ProfileFacts WithoutOwn(std::string_view name, TemplateSet set) {
  return {name, set, set};
}

// In the order of Profile.
constexpr auto kProfiles = std::to_array<ProfileFacts>({
    WithoutOwn("process", {kProcessTemplates, kOneForEachShape}),
    WithoutOwn("iana", {kIanaTemplates, kSameForBothSides}),
    WithoutOwn("fixed", {kFixedTemplates, kSameForBothSides}),
    {"full", {kFullTemplates, kOneForEachShape}, {kOwnTemplates, kOneForEachShape}},
    WithoutOwn("ssflow", {kSsflowTemplates, kOneForIpv4}),
});

constexpr auto kProfileNames = [] {
  std::array<std::string_view, kProfiles.size()> names;
  std::ranges::transform(kProfiles, names.begin(), &ProfileFacts::name);
  return names;
}();

}  // namespace

std::optional<Profile> ParseProfile(std::string_view name) {
  const auto found = std::ranges::find(kProfileNames, name);
  if (found == kProfileNames.end()) return std::nullopt;
  return static_cast<Profile>(found - kProfileNames.begin());
}

std::string_view ToString(Profile profile) { return kProfileNames[static_cast<size_t>(profile)]; }

std::span<const std::string_view> ProfileNames() { return kProfileNames; }

const TemplateSet& TemplatesOf(Profile profile, bool own) {
  const ProfileFacts& facts = kProfiles[static_cast<size_t>(profile)];
  return own ? facts.with_own : facts.standard;
}

std::array<std::span<const Field>, 3> AllFieldsOf(RecordShape shape) {
  std::span<const Field> duration;
  if (shape.end) duration = kErased<kDuration>;
  return {kOwnTemplates[shape.index()].fields, kErased<kMoreTimes>, duration};
}

}  // namespace sockflow::ipfix

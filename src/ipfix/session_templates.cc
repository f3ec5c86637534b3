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

constexpr auto kFullActiveStart4 = Join(kIanaStart4, kPods, kSourceProcess);
constexpr auto kFullActiveStart6 = Join(kIanaStart6, kPods, kSourceProcess);
constexpr auto kFullPassiveStart4 = Join(kIanaStart4, kPods, kDestinationProcess);
constexpr auto kFullPassiveStart6 = Join(kIanaStart6, kPods, kDestinationProcess);
constexpr auto kFullActiveEnd4 =
    Join(kIanaEnd4, kReverseCounters, kSourceQuality, kPods, kSourceProcess);
constexpr auto kFullActiveEnd6 =
    Join(kIanaEnd6, kReverseCounters, kSourceQuality, kPods, kSourceProcess);
constexpr auto kFullPassiveEnd4 =
    Join(kIanaEnd4, kReverseCounters, kDestinationQuality, kPods, kDestinationProcess);
constexpr auto kFullPassiveEnd6 =
    Join(kIanaEnd6, kReverseCounters, kDestinationQuality, kPods, kDestinationProcess);

// Ours go first: the executable stays last.
constexpr auto kOwnActiveStart4 = Join(kOwnProcess, kFullActiveStart4);
constexpr auto kOwnActiveStart6 = Join(kOwnProcess, kFullActiveStart6);
constexpr auto kOwnPassiveStart4 = Join(kOwnProcess, kFullPassiveStart4);
constexpr auto kOwnPassiveStart6 = Join(kOwnProcess, kFullPassiveStart6);
constexpr auto kOwnActiveEnd4 = Join(kOwnProcess, kOwnQuality, kFullActiveEnd4);
constexpr auto kOwnActiveEnd6 = Join(kOwnProcess, kOwnQuality, kFullActiveEnd6);
constexpr auto kOwnPassiveEnd4 = Join(kOwnProcess, kOwnQuality, kFullPassiveEnd4);
constexpr auto kOwnPassiveEnd6 = Join(kOwnProcess, kOwnQuality, kFullPassiveEnd6);

// Every template there is, with the id it has for ever: collectors and archives of messages know a
// layout by it. One that is changed needs a new id; 301 to 308 were those of profile process without
// the container. 256 is that of the program that sockflow replaces, 5xx are those of options
// (options_records.cc), from 0x8000 on are those of lists of one's own.
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
    MakeTemplate<kFullActiveStart4>(321, "full-start-ipv4-active"),
    MakeTemplate<kFullPassiveStart4>(322, "full-start-ipv4-passive"),
    MakeTemplate<kFullActiveStart6>(323, "full-start-ipv6-active"),
    MakeTemplate<kFullPassiveStart6>(324, "full-start-ipv6-passive"),
    MakeTemplate<kFullActiveEnd4>(325, "full-end-ipv4-active"),
    MakeTemplate<kFullPassiveEnd4>(326, "full-end-ipv4-passive"),
    MakeTemplate<kFullActiveEnd6>(327, "full-end-ipv6-active"),
    MakeTemplate<kFullPassiveEnd6>(328, "full-end-ipv6-passive"),
});
constexpr auto kOwnTemplates = std::to_array<SessionTemplate>({
    MakeTemplate<kOwnActiveStart4>(331, "full-own-start-ipv4-active"),
    MakeTemplate<kOwnPassiveStart4>(332, "full-own-start-ipv4-passive"),
    MakeTemplate<kOwnActiveStart6>(333, "full-own-start-ipv6-active"),
    MakeTemplate<kOwnPassiveStart6>(334, "full-own-start-ipv6-passive"),
    MakeTemplate<kOwnActiveEnd4>(335, "full-own-end-ipv4-active"),
    MakeTemplate<kOwnPassiveEnd4>(336, "full-own-end-ipv4-passive"),
    MakeTemplate<kOwnActiveEnd6>(337, "full-own-end-ipv6-active"),
    MakeTemplate<kOwnPassiveEnd6>(338, "full-own-end-ipv6-passive"),
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

std::array<std::span<const Field>, 4> AllFieldsOf(RecordShape shape) {
  std::span<const Field> duration, command_line = kErased<kSourceCommandLine>;
  if (shape.end) duration = kErased<kDuration>;
  if (shape.passive) command_line = kErased<kDestinationCommandLine>;
  return {kOwnTemplates[shape.index()].fields, kErased<kMoreTimes>, duration, command_line};
}

}  // namespace sockflow::ipfix

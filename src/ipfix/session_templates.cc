// SPDX-License-Identifier: MIT

// THE templates. A field of our records is one line in one of the lists below: the element, its
// length in octets and where its value comes from. The lists are joined into templates at the end.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ipfix/element_table.h"
#include "ipfix/writer.h"
#include "sockflow/ipfix/template.h"

namespace sockflow::ipfix {
namespace {

using Record = SessionRecord;

// A name that elements.h does not have under that enterprise number does not compile.
consteval const Element* Iana(std::string_view name) {
  const Element* element = Named(name);
  return element->pen == kIana ? element : NoElementHasThisName();
}
consteval const Element* Ntop(std::string_view name) {
  const Element* element = Named(name);
  return element->pen == kNtop ? element : NoElementHasThisName();
}

template <size_t kOctets, typename Get>
consteval Field Number(const Element* element, Get) {
  return {element, kOctets, [](const Record& record, Writer& writer) {
            writer.Unsigned<kOctets>(static_cast<uint64_t>(Get{}(record)));
          }};
}
template <typename Get>
consteval Field Ipv4(const Element* element, Get) {
  return {element, 4,
          [](const Record& record, Writer& writer) { writer.Ipv4(Get{}(record).address); }};
}
template <typename Get>
consteval Field Ipv6(const Element* element, Get) {
  return {element, 16,
          [](const Record& record, Writer& writer) { writer.Ipv6(Get{}(record).address); }};
}
template <typename Get>
consteval Field Text(const Element* element, Get) {
  return {element, kVariableLength,
          [](const Record& record, Writer& writer) { writer.String(Get{}(record)); }};
}

// The IANA registry gives the values of these elements.
constexpr uint8_t kFlowCreated = 1, kFlowDeleted = 2, kFlowUpdate = 5;        // firewallEvent
constexpr uint8_t kInitiator = 1;                                             // biflowDirection
constexpr uint8_t kIngress = 0, kEgress = 1;                                  // flowDirection
constexpr uint8_t kIdleTimeout = 1, kActiveTimeout = 2, kEndOfFlow = 3;       // flowEndReason
constexpr uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;         // tcpControlBits
constexpr uint8_t kTcp = 6;                                                   // protocolIdentifier

// What stands for an owner that is not known: the kernel never gives (uid_t)-1 to a process, while
// 0 would be root.
constexpr uint32_t kNoUid = 0xFFFFFFFF;

uint8_t FirewallEvent(const Record& record) {
  switch (record.kind) {
    case Record::Kind::kStart: return kFlowCreated;
    case Record::Kind::kUpdate: return kFlowUpdate;
    case Record::Kind::kEnd: return kFlowDeleted;
  }
  return kFlowUpdate;
}

// Both directions together, as far as the session is known to have carried them. A passive session
// is known to us from the end of its handshake on, so it is established.
uint8_t TcpControlBits(const Record& record) {
  const Session& session = record.session;
  uint8_t bits = kSyn;
  if (session.established.has_value() || session.direction == Direction::kPassive) bits |= kAck;
  // A start may be made of what is known at the end; it tells of the start all the same.
  if (record.kind == Record::Kind::kStart) return bits;
  if (session.tcp.fin_received) bits |= kFin;
  if (record.kind != Record::Kind::kEnd) return bits;
  switch (EndCauseOf(session)) {
    case EndCause::kLocalFin:
    case EndCause::kRemoteFin: return bits | kFin;
    case EndCause::kLocalReset:
    case EndCause::kRemoteReset:
    case EndCause::kRefused: return bits | kRst;
    default: return bits;
  }
}

uint8_t FlowEndReason(const Record& record) {
  if (record.kind == Record::Kind::kUpdate) return kActiveTimeout;
  return EndCauseOf(record.session) == EndCause::kTimedOut ? kIdleTimeout : kEndOfFlow;
}

uint64_t Milliseconds(Time time) {
  const auto since_epoch = time.time_since_epoch();
  if (since_epoch < Duration::zero()) return 0;
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count());
}

// Readers show 1970 for a flow without an end, so a session that goes on ends where it started. A
// clock that was set back meanwhile must not end it before.
uint64_t EndMilliseconds(const Record& record) {
  const Session& session = record.session;
  if (record.kind == Record::Kind::kStart) return Milliseconds(session.started);
  return Milliseconds(std::max(session.started, session.ended));
}

// ntop's latencies are half of the round-trip time between observer and peer.
uint32_t PeerLatencyMilliseconds(const Record& record) {
  return (record.session.tcp.smoothed_rtt_us + 1000) / 2000;
}

std::string_view ProcessName(const Record& r) {
  return r.session.process ? r.session.process->name.view() : std::string_view();
}
std::string_view ParentName(const Record& r) {
  return r.session.process ? r.session.process->parent_name.view() : std::string_view();
}
uint32_t Pid(const Record& r) { return r.session.process ? r.session.process->pid : 0; }
uint32_t ParentPid(const Record& r) {
  return r.session.process ? r.session.process->parent_pid : 0;
}
uint32_t Uid(const Record& r) { return r.session.process ? r.session.process->uid : kNoUid; }
std::string_view UserName(const Record& r) { return r.session.user_name; }
std::string_view Executable(const Record& r) { return r.session.executable; }

constexpr auto kSource = [](const Record& r) -> const Endpoint& { return r.session.source(); };
constexpr auto kDestination = [](const Record& r) -> const Endpoint& {
  return r.session.destination();
};

// In every record. Source is always the initiator, which is what biflowDirection 1 says.
constexpr auto kSession = std::to_array<Field>({
    Number<8>(Iana("flowId"), [](const Record& r) { return r.session.id; }),
    Number<1>(Iana("firewallEvent"), [](const Record& r) { return FirewallEvent(r); }),
    Number<1>(Iana("biflowDirection"), [](const Record&) { return kInitiator; }),
    Number<1>(Iana("flowDirection"),
              [](const Record& r) {
                return r.session.direction == Direction::kActive ? kEgress : kIngress;
              }),
    Number<1>(Iana("protocolIdentifier"), [](const Record&) { return kTcp; }),
    // Defined with 16 bits, of which readers of NetFlow v9 heritage take the first octet.
    Number<1>(Iana("tcpControlBits"), [](const Record& r) { return TcpControlBits(r); }),
    Number<2>(Iana("sourceTransportPort"), [](const Record& r) { return kSource(r).port; }),
    Number<2>(Iana("destinationTransportPort"),
              [](const Record& r) { return kDestination(r).port; }),
    Number<8>(Iana("flowStartMilliseconds"),
              [](const Record& r) { return Milliseconds(r.session.started); }),
    Number<8>(Iana("flowEndMilliseconds"), [](const Record& r) { return EndMilliseconds(r); }),
});

constexpr auto kIpv4 = std::to_array<Field>({
    Number<1>(Iana("ipVersion"), [](const Record&) { return 4; }),
    Ipv4(Iana("sourceIPv4Address"), kSource),
    Ipv4(Iana("destinationIPv4Address"), kDestination),
});

constexpr auto kIpv6 = std::to_array<Field>({
    Number<1>(Iana("ipVersion"), [](const Record&) { return 6; }),
    Ipv6(Iana("sourceIPv6Address"), kSource),
    Ipv6(Iana("destinationIPv6Address"), kDestination),
});

constexpr auto kNames = std::to_array<Field>({
    Text(Iana("applicationName"), [](const Record& r) { return ProcessName(r); }),
    Text(Iana("userName"), [](const Record& r) { return UserName(r); }),
});

// Only when a session has something to count. nfdump and pmacct read no other counters than
// octetDeltaCount and packetDeltaCount.
constexpr auto kCounters = std::to_array<Field>({
    Number<1>(Iana("flowEndReason"), [](const Record& r) { return FlowEndReason(r); }),
    Number<8>(Iana("octetDeltaCount"), [](const Record& r) { return r.session.initiator_ip_octets(); }),
    Number<8>(Iana("packetDeltaCount"),
              [](const Record& r) { return r.session.initiator_packets(); }),
    Number<8>(Iana("initiatorOctets"),
              [](const Record& r) { return r.session.initiator_octets(); }),
    Number<8>(Iana("responderOctets"),
              [](const Record& r) { return r.session.responder_octets(); }),
    Number<8>(Iana("initiatorPackets"),
              [](const Record& r) { return r.session.initiator_packets(); }),
    Number<8>(Iana("responderPackets"),
              [](const Record& r) { return r.session.responder_packets(); }),
});

// The owner of an active session is at the source. One that is not known has pid 0, no names and
// uid 4294967295.
constexpr auto kSourceProcess = std::to_array<Field>({
    Number<4>(Ntop("SRC_PROC_PID"), [](const Record& r) { return Pid(r); }),
    Text(Ntop("SRC_PROC_NAME"), [](const Record& r) { return ProcessName(r); }),
    Number<4>(Ntop("SRC_PROC_UID"), [](const Record& r) { return Uid(r); }),
    Text(Ntop("SRC_PROC_USER_NAME"), [](const Record& r) { return UserName(r); }),
    Number<4>(Ntop("SRC_FATHER_PROC_PID"), [](const Record& r) { return ParentPid(r); }),
    Text(Ntop("SRC_FATHER_PROC_NAME"), [](const Record& r) { return ParentName(r); }),
    Text(Ntop("SRC_PROC_PKG_NAME"), [](const Record& r) { return Executable(r); }),
});

// That of a passive one is at the destination.
constexpr auto kDestinationProcess = std::to_array<Field>({
    Number<4>(Ntop("DST_PROC_PID"), [](const Record& r) { return Pid(r); }),
    Text(Ntop("DST_PROC_NAME"), [](const Record& r) { return ProcessName(r); }),
    Number<4>(Ntop("DST_PROC_UID"), [](const Record& r) { return Uid(r); }),
    Text(Ntop("DST_PROC_USER_NAME"), [](const Record& r) { return UserName(r); }),
    Number<4>(Ntop("DST_FATHER_PROC_PID"), [](const Record& r) { return ParentPid(r); }),
    Text(Ntop("DST_FATHER_PROC_NAME"), [](const Record& r) { return ParentName(r); }),
    Text(Ntop("DST_PROC_PKG_NAME"), [](const Record& r) { return Executable(r); }),
});

// What we sent again went from source to destination if we are the source, and our peer is then
// the server.
constexpr auto kSourceQuality = std::to_array<Field>({
    Number<4>(Ntop("RETRANSMITTED_IN_PKTS"),
              [](const Record& r) { return r.session.tcp.retransmitted_packets; }),
    Number<4>(Ntop("SERVER_NW_LATENCY_MS"),
              [](const Record& r) { return PeerLatencyMilliseconds(r); }),
});

constexpr auto kDestinationQuality = std::to_array<Field>({
    Number<4>(Ntop("RETRANSMITTED_OUT_PKTS"),
              [](const Record& r) { return r.session.tcp.retransmitted_packets; }),
    Number<4>(Ntop("CLIENT_NW_LATENCY_MS"),
              [](const Record& r) { return PeerLatencyMilliseconds(r); }),
});

template <size_t... kSizes>
constexpr auto Join(const std::array<Field, kSizes>&... lists) {
  std::array<Field, (kSizes + ...)> fields{};
  Field* at = fields.data();
  ((at = std::ranges::copy(lists, at).out), ...);
  return fields;
}

constexpr auto kIanaStart4 = Join(kSession, kIpv4, kNames);
constexpr auto kIanaStart6 = Join(kSession, kIpv6, kNames);
constexpr auto kIanaEnd4 = Join(kSession, kIpv4, kCounters, kNames);
constexpr auto kIanaEnd6 = Join(kSession, kIpv6, kCounters, kNames);
constexpr auto kActiveStart4 = Join(kIanaStart4, kSourceProcess);
constexpr auto kActiveStart6 = Join(kIanaStart6, kSourceProcess);
constexpr auto kPassiveStart4 = Join(kIanaStart4, kDestinationProcess);
constexpr auto kPassiveStart6 = Join(kIanaStart6, kDestinationProcess);
constexpr auto kActiveEnd4 = Join(kIanaEnd4, kSourceQuality, kSourceProcess);
constexpr auto kActiveEnd6 = Join(kIanaEnd6, kSourceQuality, kSourceProcess);
constexpr auto kPassiveEnd4 = Join(kIanaEnd4, kDestinationQuality, kDestinationProcess);
constexpr auto kPassiveEnd6 = Join(kIanaEnd6, kDestinationQuality, kDestinationProcess);

// Every template there is, with the id it has for ever: collectors and archives of messages know a
// layout by it. One that is changed needs a new id. 256 is not ours: the layout of the program that
// sockflow replaces has it.
//
// Within a profile the order says which record a template is for: see TemplateFor.
constexpr auto kProcessTemplates = std::to_array<Template>({
    MakeTemplate<kActiveStart4>(301, "process-start-ipv4-active"),
    MakeTemplate<kPassiveStart4>(302, "process-start-ipv4-passive"),
    MakeTemplate<kActiveStart6>(303, "process-start-ipv6-active"),
    MakeTemplate<kPassiveStart6>(304, "process-start-ipv6-passive"),
    MakeTemplate<kActiveEnd4>(305, "process-end-ipv4-active"),
    MakeTemplate<kPassiveEnd4>(306, "process-end-ipv4-passive"),
    MakeTemplate<kActiveEnd6>(307, "process-end-ipv6-active"),
    MakeTemplate<kPassiveEnd6>(308, "process-end-ipv6-passive"),
});
constexpr auto kIanaTemplates = std::to_array<Template>({
    MakeTemplate<kIanaStart4>(401, "iana-start-ipv4"),
    MakeTemplate<kIanaStart6>(402, "iana-start-ipv6"),
    MakeTemplate<kIanaEnd4>(403, "iana-end-ipv4"),
    MakeTemplate<kIanaEnd6>(404, "iana-end-ipv6"),
});

struct ProfileFacts {
  std::string_view name;
  std::span<const Template> templates;
};

// In the order of Profile.
constexpr auto kProfiles = std::to_array<ProfileFacts>({
    {"process", kProcessTemplates},
    {"iana", kIanaTemplates},
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

std::span<const Template> TemplatesOf(Profile profile) {
  return kProfiles[static_cast<size_t>(profile)].templates;
}

const Template& TemplateFor(Profile profile, const SessionRecord& record) {
  const size_t end = record.kind == Record::Kind::kStart ? 0 : 1;
  const size_t ipv6 = record.session.is_ipv4() ? 0 : 1;
  const size_t passive = record.session.direction == Direction::kPassive ? 1 : 0;
  switch (profile) {
    case Profile::kProcess: return kProcessTemplates[4 * end + 2 * ipv6 + passive];
    case Profile::kIanaOnly: break;
  }
  return kIanaTemplates[2 * end + ipv6];
}

}  // namespace sockflow::ipfix

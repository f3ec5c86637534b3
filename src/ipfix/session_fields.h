// SPDX-License-Identifier: MIT
#pragma once

// THE fields of our records. One line each: the element, its length in octets and where its value
// comes from. session_templates.cc joins the lists into templates.

#include <array>

#include "ipfix/session_values.h"
#include "ipfix/typed_template.h"

namespace sockflow::ipfix {

// In every record. Source is always the initiator, which is what biflowDirection 1 says.
inline constexpr auto kSession = std::to_array({
    Number<8>(Iana("flowId"), [](const Record& r) { return r.session.id; }),
    Number<1>(Iana("firewallEvent"), [](const Record& r) { return FirewallEvent(r); }),
    Number<1>(Iana("biflowDirection"), [](const Record&) { return kInitiator; }),
    Number<1>(Iana("flowDirection"),
              [](const Record& r) { return IsActive(r) ? kEgress : kIngress; }),
    Number<1>(Iana("protocolIdentifier"), [](const Record&) { return kTcp; }),
    // Defined with 16 bits, of which readers of NetFlow v9 heritage take the first octet.
    Number<1>(Iana("tcpControlBits"), [](const Record& r) { return TcpControlBits(r); }),
    Number<2>(Iana("sourceTransportPort"), [](const Record& r) { return kSource(r).port; }),
    Number<2>(Iana("destinationTransportPort"),
              [](const Record& r) { return kDestination(r).port; }),
    Number<8>(Iana("flowStartMilliseconds"),
              [](const Record& r) { return Milliseconds(r.session.started); }),
    Number<8>(Iana("flowEndMilliseconds"), [](const Record& r) { return Milliseconds(EndOf(r)); }),
});

inline constexpr auto kIpv4 = std::to_array({
    Number<1>(Iana("ipVersion"), [](const Record&) { return 4; }),
    Ipv4(Iana("sourceIPv4Address"), kSource),
    Ipv4(Iana("destinationIPv4Address"), kDestination),
});

inline constexpr auto kIpv6 = std::to_array({
    Number<1>(Iana("ipVersion"), [](const Record&) { return 6; }),
    Ipv6(Iana("sourceIPv6Address"), kSource),
    Ipv6(Iana("destinationIPv6Address"), kDestination),
});

inline constexpr auto kNames = std::to_array({
    Text(Iana("applicationName"), [](const Record& r) { return ProcessName(r); }),
    Text(Iana("userName"),
         [](const Record& r) { return std::string_view(r.session.user_name); }),
});

// For readers that lose a record, or all, with a field of variable length.
inline constexpr auto kFixedNames = std::to_array({
    FixedText<16>(Iana("applicationName"), [](const Record& r) { return ProcessName(r); }),
    FixedText<32>(Iana("userName"),
                  [](const Record& r) { return std::string_view(r.session.user_name); }),
});

// Only when a session has something to count: what came since the record before, as the registry says of
// deltaCounter. nfdump and pmacct read no other counters than octetDeltaCount and packetDeltaCount.
inline constexpr auto kCounters = std::to_array({
    Number<1>(Iana("flowEndReason"), [](const Record& r) { return FlowEndReason(r); }),
    Number<8>(Iana("octetDeltaCount"), [](const Record& r) { return r.initiator_ip_octets(); }),
    Number<8>(Iana("packetDeltaCount"), [](const Record& r) { return r.initiator_packets(); }),
    Number<8>(Iana("initiatorOctets"), [](const Record& r) { return r.initiator_octets(); }),
    Number<8>(Iana("responderOctets"), [](const Record& r) { return r.responder_octets(); }),
    Number<8>(Iana("initiatorPackets"), [](const Record& r) { return r.initiator_packets(); }),
    Number<8>(Iana("responderPackets"), [](const Record& r) { return r.responder_packets(); }),
});

// RFC 5103, of the responder's direction. Never reverse times: nfdump takes them for the forward
// ones.
inline constexpr auto kReverseCounters = std::to_array({
    Number<8>(Reverse("reverseOctetDeltaCount"),
              [](const Record& r) { return r.responder_ip_octets(); }),
    Number<8>(Reverse("reversePacketDeltaCount"),
              [](const Record& r) { return r.responder_packets(); }),
});

// All that the session carried, what went before it was found too. With the length of the header that the
// octets of IP packets are computed with.
inline constexpr auto kTotals = std::to_array({
    Number<8>(Iana("octetTotalCount"),
              [](const Record& r) { return r.session.initiator_ip_octets(r.session.tcp); }),
    Number<8>(Iana("packetTotalCount"),
              [](const Record& r) { return r.session.initiator_packets(r.session.tcp); }),
    Number<8>(Reverse("reverseOctetTotalCount"),
              [](const Record& r) { return r.session.responder_ip_octets(r.session.tcp); }),
    Number<8>(Reverse("reversePacketTotalCount"),
              [](const Record& r) { return r.session.responder_packets(r.session.tcp); }),
    Number<1>(Iana("tcpHeaderLength"),
              [](const Record& r) { return Session::tcp_header_octets(r.session.tcp); }),
});

// The owner of an active session is at the source. One that is not known has pid 0, no names and
// uid 4294967295. The executable comes last: a very long path leaves the other names whole.
inline constexpr auto kSourceProcess = std::to_array({
    Number<4>(Ntop("SRC_PROC_PID"), [](const Record& r) { return Pid(r); }),
    Text(Ntop("SRC_PROC_NAME"), [](const Record& r) { return ProcessName(r); }),
    Number<4>(Ntop("SRC_PROC_UID"), [](const Record& r) { return Uid(r); }),
    Text(Ntop("SRC_PROC_USER_NAME"),
         [](const Record& r) { return std::string_view(r.session.user_name); }),
    Number<4>(Ntop("SRC_FATHER_PROC_PID"), [](const Record& r) { return ParentPid(r); }),
    Text(Ntop("SRC_FATHER_PROC_NAME"), [](const Record& r) { return ParentName(r); }),
    Text(Ntop("SRC_PROC_CONTAINER_ID"),
         [](const Record& r) { return ContainerId(r); }),
    Text(Ntop("SRC_PROC_PKG_NAME"),
         [](const Record& r) { return std::string_view(r.session.executable); }),
});

// That of a passive one is at the destination.
inline constexpr auto kDestinationProcess = std::to_array({
    Number<4>(Ntop("DST_PROC_PID"), [](const Record& r) { return Pid(r); }),
    Text(Ntop("DST_PROC_NAME"), [](const Record& r) { return ProcessName(r); }),
    Number<4>(Ntop("DST_PROC_UID"), [](const Record& r) { return Uid(r); }),
    Text(Ntop("DST_PROC_USER_NAME"),
         [](const Record& r) { return std::string_view(r.session.user_name); }),
    Number<4>(Ntop("DST_FATHER_PROC_PID"), [](const Record& r) { return ParentPid(r); }),
    Text(Ntop("DST_FATHER_PROC_NAME"), [](const Record& r) { return ParentName(r); }),
    Text(Ntop("DST_PROC_CONTAINER_ID"),
         [](const Record& r) { return ContainerId(r); }),
    Text(Ntop("DST_PROC_PKG_NAME"),
         [](const Record& r) { return std::string_view(r.session.executable); }),
});

// What we sent again went from source to destination if we are the source, and our peer is then
// the server.
inline constexpr auto kSourceQuality = std::to_array({
    Number<4>(Ntop("RETRANSMITTED_IN_PKTS"),
              [](const Record& r) { return r.retransmitted_packets(); }),
    Number<4>(Ntop("SERVER_NW_LATENCY_MS"),
              [](const Record& r) { return PeerLatencyMilliseconds(r); }),
});

inline constexpr auto kDestinationQuality = std::to_array({
    Number<4>(Ntop("RETRANSMITTED_OUT_PKTS"),
              [](const Record& r) { return r.retransmitted_packets(); }),
    Number<4>(Ntop("CLIENT_NW_LATENCY_MS"),
              [](const Record& r) { return PeerLatencyMilliseconds(r); }),
});

// What Kubernetes knows of both ends.
inline constexpr auto kPods = std::to_array({
    Text(Antrea("sourcePodNamespace"),
         [](const Record& r) { return std::string_view(PodAtSource(r).pod_namespace); }),
    Text(Antrea("sourcePodName"),
         [](const Record& r) { return std::string_view(PodAtSource(r).pod_name); }),
    Text(Antrea("destinationPodNamespace"),
         [](const Record& r) { return std::string_view(PodAtDestination(r).pod_namespace); }),
    Text(Antrea("destinationPodName"),
         [](const Record& r) { return std::string_view(PodAtDestination(r).pod_name); }),
    Text(Antrea("sourceNodeName"),
         [](const Record& r) { return std::string_view(PodAtSource(r).node_name); }),
    Text(Antrea("destinationNodeName"),
         [](const Record& r) { return std::string_view(PodAtDestination(r).node_name); }),
    Uuid(Antrea("sourcePodUUID"), [](const Record& r) { return PodUidIf(IsActive(r), r); }),
    Uuid(Antrea("destinationPodUUID"), [](const Record& r) { return PodUidIf(!IsActive(r), r); }),
});

// Long, and so behind what they must not cut.
inline constexpr auto kPodLabels = std::to_array({
    Text(Antrea("sourcePodLabels"),
         [](const Record& r) { return std::string_view(PodAtSource(r).labels); }),
    Text(Antrea("destinationPodLabels"),
         [](const Record& r) { return std::string_view(PodAtDestination(r).labels); }),
});

// Our own.
inline constexpr auto kOwnSession = std::to_array({
    Boolean(Own("sessionPreExisting"), [](const Record& r) { return r.session.existing; }),
    Number<4>(Own("networkNamespaceInode"), [](const Record& r) { return r.session.netns; }),
    Number<8>(Own("socketCookie"), [](const Record& r) { return r.session.socket_cookie; }),
});

inline constexpr auto kOwnPods = std::to_array({
    Text(Own("sourcePodWorkload"),
         [](const Record& r) { return std::string_view(PodAtSource(r).workload); }),
    Text(Own("destinationPodWorkload"),
         [](const Record& r) { return std::string_view(PodAtDestination(r).workload); }),
});

// The kernel tells the start of a process in the time since boot, which is exported as it
// is: a wall-clock time would change with every correction of the clock, and could not be compared.
inline constexpr auto kOwnProcess = std::to_array({
    Number<8>(Own("processStartNanosecondsSinceBoot"),
              [](const Record& r) { return ProcessStart(r); }),
    Number<1>(Own("processAttributionQuality"),
              [](const Record& r) { return r.session.attribution; }),
    Text(Own("processThreadName"), [](const Record& r) { return ThreadName(r); }),
    Number<4>(Own("processThreadId"), [](const Record& r) { return ThreadId(r); }),
    Number<8>(Own("processCgroupId"), [](const Record& r) { return CgroupId(r); }),
    Text(Own("processContainerRuntime"), [](const Record& r) { return ContainerRuntime(r); }),
});

inline constexpr auto kOwnCgroupPath = std::to_array({
    Text(Own("processCgroupPath"), [](const Record& r) { return CgroupPath(r); }),
});

inline constexpr auto kOwnQuality = std::to_array({
    Number<4>(Own("tcpHandshakeMicroseconds"),
              [](const Record& r) { return HandshakeMicroseconds(r); }),
    Number<4>(Own("tcpSmoothedRttMicroseconds"),
              [](const Record& r) { return r.session.tcp.smoothed_rtt_us; }),
    Number<4>(Own("tcpMinimumRttMicroseconds"),
              [](const Record& r) { return r.session.tcp.minimum_rtt_us; }),
    Number<4>(Own("tcpRetransmittedPacketDeltaCount"),
              [](const Record& r) { return r.retransmitted_packets(); }),
    Number<2>(Own("socketError"), [](const Record& r) { return r.session.tcp.error; }),
    Text(Own("sessionCloseReason"), [](const Record& r) { return CloseReason(r); }),
});

// The layout of the program that sockflow replaces. The time is that of the event. Its last two
// elements have an id with the bit that announces an enterprise number, and then none: not valid
// IPFIX, and so in no registry but this list.
inline constexpr Element kSsflowEvent = {kIana, 34001, "ssflowEvent", Type::kString};
inline constexpr Element kSsflowProcess = {kIana, 34000, "ssflowProcessName", Type::kString};

inline constexpr auto kSsflow = std::to_array({
    Ipv4(Iana("sourceIPv4Address"), kSource),
    Ipv4(Iana("destinationIPv4Address"), kDestination),
    Number<2>(Iana("sourceTransportPort"), [](const Record& r) { return kSource(r).port; }),
    Number<2>(Iana("destinationTransportPort"),
              [](const Record& r) { return kDestination(r).port; }),
    Number<1>(Iana("protocolIdentifier"), [](const Record&) { return kTcp; }),
    Number<4>(Iana("flowStartSeconds"), [](const Record& r) { return Seconds(EndOf(r)); }),
    Text(&kSsflowEvent,
         [](const Record& r) { return std::string_view(IsStart(r) ? "start" : "end"); }),
    Text(&kSsflowProcess, [](const Record& r) { return ProcessName(r); }),
});

// In no profile, for lists of one's own.
inline constexpr auto kMoreTimes = std::to_array({
    Number<4>(Iana("flowStartSeconds"), [](const Record& r) { return Seconds(r.session.started); }),
    Number<4>(Iana("flowEndSeconds"), [](const Record& r) { return Seconds(EndOf(r)); }),
    Number<8>(Iana("flowStartMicroseconds"),
              [](const Record& r) { return NtpMicroseconds(r.session.started); }),
    Number<8>(Iana("flowEndMicroseconds"),
              [](const Record& r) { return NtpMicroseconds(EndOf(r)); }),
    Number<8>(Iana("flowStartNanoseconds"),
              [](const Record& r) { return NtpNanoseconds(r.session.started); }),
    Number<8>(Iana("flowEndNanoseconds"),
              [](const Record& r) { return NtpNanoseconds(EndOf(r)); }),
});

// Like the counters, not in a start.
inline constexpr auto kDuration = std::to_array({
    Number<4>(Iana("flowDurationMilliseconds"),
              [](const Record& r) { return DurationMilliseconds(r); }),
});

// Empty unless the configuration asks for it, as it may hold passwords. Last: it may be very long.
inline constexpr auto kSourceCommandLine = std::to_array({
    Text(Ntop("SRC_PROC_CMDLINE"),
         [](const Record& r) { return std::string_view(r.session.command_line); }),
});

inline constexpr auto kDestinationCommandLine = std::to_array({
    Text(Ntop("DST_PROC_CMDLINE"),
         [](const Record& r) { return std::string_view(r.session.command_line); }),
});

}  // namespace sockflow::ipfix

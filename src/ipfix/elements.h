// SPDX-License-Identifier: MIT
#pragma once

// THE registry of information elements. One line here, and the encoder can export the element, the
// decoder knows its name and type, and `sockflow fields` lists it. Lines are ordered by enterprise
// number and id, which the compiler checks (element_table.h).

#include <array>

#include "sockflow/ipfix/element.h"

namespace sockflow::ipfix {

inline constexpr ElementStatus kCurrent = ElementStatus::kCurrent;

// clang-format off
inline constexpr auto kElementLines = std::to_array<Element>({
#include "ipfix/elements_iana.inc"

// ntop (PEN 35632), names and lengths as in nProbe's list of flow information elements and as
// Wireshark shows them. SRC_ fields describe the process at the source of the flow, the initiator;
// DST_ fields that at its destination. IN is source to destination, OUT the way back.
{kNtop, 109, "RETRANSMITTED_IN_PKTS", Type::kUnsigned32, Semantics::kDeltaCounter, "packets", kCurrent,
 "Packets sent again from source to destination"},
{kNtop, 110, "RETRANSMITTED_OUT_PKTS", Type::kUnsigned32, Semantics::kDeltaCounter, "packets", kCurrent,
 "Packets sent again from destination to source"},
// Half the round-trip time between the observer and the client, the server.
{kNtop, 123, "CLIENT_NW_LATENCY_MS", Type::kUnsigned32, Semantics::kQuantity, "milliseconds", kCurrent,
 "Half the round-trip time between the observer and the client"},
{kNtop, 124, "SERVER_NW_LATENCY_MS", Type::kUnsigned32, Semantics::kQuantity, "milliseconds", kCurrent,
 "Half the round-trip time between the observer and the server"},
{kNtop, 168, "SRC_PROC_PID", Type::kUnsigned32, Semantics::kIdentifier, "", kCurrent,
 "Process id at the source"},
{kNtop, 169, "SRC_PROC_NAME", Type::kString, Semantics::kDefault, "", kCurrent,
 "Process name at the source"},
{kNtop, 372, "SRC_PROC_USER_NAME", Type::kString, Semantics::kDefault, "", kCurrent,
 "User name of the process at the source"},
{kNtop, 373, "SRC_FATHER_PROC_PID", Type::kUnsigned32, Semantics::kIdentifier, "", kCurrent,
 "Process id of the parent of the process at the source"},
{kNtop, 374, "SRC_FATHER_PROC_NAME", Type::kString, Semantics::kDefault, "", kCurrent,
 "Name of the parent of the process at the source"},
{kNtop, 375, "DST_PROC_PID", Type::kUnsigned32, Semantics::kIdentifier, "", kCurrent,
 "Process id at the destination"},
{kNtop, 376, "DST_PROC_NAME", Type::kString, Semantics::kDefault, "", kCurrent,
 "Process name at the destination"},
{kNtop, 377, "DST_PROC_USER_NAME", Type::kString, Semantics::kDefault, "", kCurrent,
 "User name of the process at the destination"},
{kNtop, 378, "DST_FATHER_PROC_PID", Type::kUnsigned32, Semantics::kIdentifier, "", kCurrent,
 "Process id of the parent of the process at the destination"},
{kNtop, 379, "DST_FATHER_PROC_NAME", Type::kString, Semantics::kDefault, "", kCurrent,
 "Name of the parent of the process at the destination"},
{kNtop, 425, "SRC_PROC_UID", Type::kUnsigned32, Semantics::kIdentifier, "", kCurrent,
 "User id of the process at the source"},
{kNtop, 426, "DST_PROC_UID", Type::kUnsigned32, Semantics::kIdentifier, "", kCurrent,
 "User id of the process at the destination"},
// ntop's "package name": what the process was started from. We export the executable's path.
{kNtop, 540, "SRC_PROC_PKG_NAME", Type::kString, Semantics::kDefault, "", kCurrent,
 "Executable of the process at the source"},
{kNtop, 541, "DST_PROC_PKG_NAME", Type::kString, Semantics::kDefault, "", kCurrent,
 "Executable of the process at the destination"},
{kNtop, 556, "SRC_PROC_CMDLINE", Type::kString, Semantics::kDefault, "", kCurrent,
 "Command line of the process at the source"},
{kNtop, 557, "DST_PROC_CMDLINE", Type::kString, Semantics::kDefault, "", kCurrent,
 "Command line of the process at the destination"},
{kNtop, 558, "SRC_PROC_CONTAINER_ID", Type::kString, Semantics::kDefault, "", kCurrent,
 "Container of the process at the source"},
{kNtop, 559, "DST_PROC_CONTAINER_ID", Type::kString, Semantics::kDefault, "", kCurrent,
 "Container of the process at the destination"},

// Antrea (PEN 56506), as in its registry. Names of what runs at either end in Kubernetes.
{kAntrea, 100, "sourcePodNamespace", Type::kString, Semantics::kDefault, "", kCurrent,
 "Namespace of the pod at the source"},
{kAntrea, 101, "sourcePodName", Type::kString, Semantics::kDefault, "", kCurrent,
 "Name of the pod at the source"},
{kAntrea, 102, "destinationPodNamespace", Type::kString, Semantics::kDefault, "", kCurrent,
 "Namespace of the pod at the destination"},
{kAntrea, 103, "destinationPodName", Type::kString, Semantics::kDefault, "", kCurrent,
 "Name of the pod at the destination"},
{kAntrea, 104, "sourceNodeName", Type::kString, Semantics::kDefault, "", kCurrent,
 "Name of the Kubernetes node at the source"},
{kAntrea, 105, "destinationNodeName", Type::kString, Semantics::kDefault, "", kCurrent,
 "Name of the Kubernetes node at the destination"},
{kAntrea, 143, "sourcePodLabels", Type::kString, Semantics::kDefault, "", kCurrent,
 "Labels of the pod at the source"},
{kAntrea, 144, "destinationPodLabels", Type::kString, Semantics::kDefault, "", kCurrent,
 "Labels of the pod at the destination"},
{kAntrea, 159, "sourcePodUUID", Type::kOctetArray, Semantics::kDefault, "", kCurrent,
 "UID of the pod at the source, in 16 octets; all 0: not known"},
{kAntrea, 160, "destinationPodUUID", Type::kOctetArray, Semantics::kDefault, "", kCurrent,
 "UID of the pod at the destination, in 16 octets; all 0: not known"},

// Our own, under the private enterprise number that is configured. An id keeps its meaning for ever.
{kOwn, 1, "processStartNanosecondsSinceBoot", Type::kUnsigned64, Semantics::kQuantity, "nanoseconds", kCurrent,
 "When the local process started, after the boot of its host; with its id tells a reused id apart; 0 unknown"},
{kOwn, 2, "processThreadName", Type::kString, Semantics::kDefault, "", kCurrent,
 "Name of the thread that connected or accepted"},
{kOwn, 3, "sessionCloseReason", Type::kString, Semantics::kDefault, "", kCurrent,
 "Which end closed it, or why it failed: local-fin, remote-reset, refused, owner-killed, ...; none: it goes on"},
{kOwn, 4, "socketError", Type::kUnsigned16, Semantics::kIdentifier, "", kCurrent,
 "Linux errno of the socket when it closed; 0 none"},
{kOwn, 5, "processAttributionQuality", Type::kUnsigned8, Semantics::kIdentifier, "", kCurrent,
 "How the local process is known: 0 not, 1 as the listener, 2 exact (it acted), 3 guessed (it holds the socket)"},
{kOwn, 6, "tcpSmoothedRttMicroseconds", Type::kUnsigned32, Semantics::kQuantity, "microseconds", kCurrent,
 "Smoothed round-trip time of the local socket; 0 unknown"},
{kOwn, 7, "tcpMinimumRttMicroseconds", Type::kUnsigned32, Semantics::kQuantity, "microseconds", kCurrent,
 "Least round-trip time of the local socket; 0 unknown"},
{kOwn, 8, "tcpRetransmittedPacketDeltaCount", Type::kUnsigned32, Semantics::kDeltaCounter, "packets", kCurrent,
 "Packets that the local socket sent again"},
{kOwn, 9, "lossReason", Type::kString, Semantics::kDefault, "", kCurrent,
 "Why events did not reach the metering process"},
{kOwn, 10, "lossTotalCount", Type::kUnsigned64, Semantics::kTotalCounter, "", kCurrent,
 "Events that did not reach the metering process for this reason"},
{kOwn, 11, "sessionPreExisting", Type::kBoolean, Semantics::kDefault, "", kCurrent,
 "The session is older than the capture: its start is when it was found"},
{kOwn, 12, "tcpHandshakeMicroseconds", Type::kUnsigned32, Semantics::kQuantity, "microseconds", kCurrent,
 "From the SYN of the local socket to the end of its handshake; 0 not known"},
{kOwn, 13, "networkNamespaceInode", Type::kUnsigned32, Semantics::kIdentifier, "", kCurrent,
 "Network namespace of the local socket, as /proc/PID/ns/net has it; 0 not known"},
{kOwn, 14, "socketCookie", Type::kUnsigned64, Semantics::kIdentifier, "", kCurrent,
 "The kernel's number of the local socket (SO_COOKIE, ss -e); 0 not known"},
{kOwn, 15, "processThreadId", Type::kUnsigned32, Semantics::kIdentifier, "", kCurrent,
 "The thread that connected or accepted; 0 not known"},
{kOwn, 16, "processCgroupId", Type::kUnsigned64, Semantics::kIdentifier, "", kCurrent,
 "Number of the local process's cgroup in the unified hierarchy; 0 not known"},
{kOwn, 17, "processCgroupPath", Type::kString, Semantics::kDefault, "", kCurrent,
 "Path of the local process's cgroup in the unified hierarchy"},
{kOwn, 18, "processContainerRuntime", Type::kString, Semantics::kDefault, "", kCurrent,
 "What runs the container of the local process: docker, containerd, cri-o, podman, ..."},
{kOwn, 19, "sourcePodWorkload", Type::kString, Semantics::kDefault, "", kCurrent,
 "What owns the pod at the source: Deployment/web"},
{kOwn, 20, "destinationPodWorkload", Type::kString, Semantics::kDefault, "", kCurrent,
 "What owns the pod at the destination: Deployment/web"},
});
// clang-format on

}  // namespace sockflow::ipfix

// SPDX-License-Identifier: MIT
#include "config/key_groups.h"
#include "config/values.h"

namespace sockflow::config {
namespace {

constexpr std::string_view kDirectionWords[] = {"active", "passive"};

std::span<const std::string_view> DirectionWords() { return kDirectionWords; }

std::vector<IpPrefix> PrefixesOf(const Value& value) {
  std::vector<IpPrefix> prefixes;
  for (const std::string& name : value.names) prefixes.push_back(*IpPrefix::Parse(name));
  return prefixes;
}

std::vector<PortRange> PortsOf(const Value& value) {
  std::vector<PortRange> ranges;
  for (const std::string& name : value.names) ranges.push_back(*ParsePortRange(name));
  return ranges;
}

constexpr std::string_view kPrefixRule = "an IP address or a network such as 192.0.2.0/24 or 2001:db8::/32";
constexpr std::string_view kPortRule = "a port or a range such as 8000-8010, from 1 to 65535";

constexpr Key kKeys[] = {
    {.name = "interface",
     .default_value = "any",
     .text_rule = "names of network interfaces with commas between, or any",
     .read = ReadInterfaces,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.interfaces = *ParseInterfaces(v.text); },
     .prose = "The network interfaces whose sessions are exported: one, or several with commas\n"
              "between (eth0,eth1). any, or nothing: all of them. In the tier pcap packets are\n"
              "captured there; in the others the local address of a session decides."},
    {.name = "bpf.source_host",
     .default_value = "\" \"",
     .text_rule = "an IP address or a host name, or nothing",
     .read = ReadSourceHost,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.source_host = v.text; },
     .prose = "Exports only sessions whose source (the side that connected) is this host: an IP\n"
              "address or a host name. Nothing: all sessions."},
    {.name = "bpf.filter",
     .default_value = "\" \"",
     .text_rule = "an expression of libpcap (man pcap-filter), or nothing",
     .read = ReadAnyText,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.packet_filter = v.text; },
     .prose = "In the tier pcap and of capture files: only packets that this expression lets pass,\n"
              "in the language of tcpdump: \"port 443 and not net 10.0.0.0/8\". It has to let both\n"
              "directions of a session pass. Nothing: all."},
    {.name = kIncludeKey,
     .type = Type::kItems,
     .default_value = "[]",
     .text_rule = "a list of maps of the keys of a rule",
     .prose = "Exports only sessions that one of these rules matches. Nothing: all.\n"
              "  include:\n"
              "    - {process: [nginx, \"php-fpm*\"], direction: passive}\n"
              "    - remote_address: 10.0.0.0/8\n"
              "      remote_port: [443, 8000-8010]\n"
              "A rule is a map of the keys below. It matches when each of its keys does, and a key\n"
              "when one of its values does. What is not known of a session matches nothing. Of the\n"
              "wildcards * stands for any characters, / among them, and ? for one octet.\n"
              "A session is chosen as it starts, for all of its records. Rules of ports, uids,\n"
              "direction and loopback alone cost least: they act in the kernel (not in the tier\n"
              "pcap). Sessions of sockflow's own process are never exported."},
    {.name = kExcludeKey,
     .type = Type::kItems,
     .default_value = "[]",
     .text_rule = "a list of maps of the keys of a rule",
     .prose = "And none that one of these matches, whatever include says."},
    {.name = "filter.rule.process",
     .type = Type::kNames,
     .text_rule = "names of processes; * and ? are wildcards",
     .read = ReadProcessName,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.process = v.names; },
     .prose = "The name of the process, as ps -o comm shows it: at most 15 octets. What begins\n"
              "with * needs quotes, here and below."},
    {.name = "filter.rule.executable",
     .type = Type::kNames,
     .text_rule = "absolute paths; * and ? are wildcards",
     .read = ReadExecutable,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.executable = v.names; },
     .prose = "The path of the program that the process runs, as its container sees it."},
    {.name = "filter.rule.user",
     .type = Type::kNames,
     .text_rule = "names of users, or uids",
     .read = ReadUser,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.user = v.names; },
     .prose = "The user of the process. A uid acts in the kernel, a name does not, and names of a\n"
              "directory (LDAP) not for the first sessions of a user: they are asked for meanwhile."},
    {.name = "filter.rule.container",
     .type = Type::kNames,
     .text_rule = "ids of containers, or how they begin: 4 to 64 hexadecimal digits",
     .read = ReadContainerId,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.container = v.names; },
     .prose = "The container of the process."},
    {.name = "filter.rule.pod_namespace",
     .type = Type::kNames,
     .text_rule = "namespaces of Kubernetes; * and ? are wildcards",
     .read = ReadPodNamespace,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.pod_namespace = v.names; },
     .prose = "The namespace of the pod at either end, if that is one of this node's."},
    {.name = "filter.rule.address",
     .type = Type::kNames,
     .text_rule = kPrefixRule,
     .read = ReadPrefix,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.address = PrefixesOf(v); },
     .prose = "The address of either end."},
    {.name = "filter.rule.local_address",
     .type = Type::kNames,
     .text_rule = kPrefixRule,
     .read = ReadPrefix,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.local_address = PrefixesOf(v); },
     .prose = "The address of the end whose process is told."},
    {.name = "filter.rule.remote_address",
     .type = Type::kNames,
     .text_rule = kPrefixRule,
     .read = ReadPrefix,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.remote_address = PrefixesOf(v); },
     .prose = "The address of its peer."},
    {.name = "filter.rule.port",
     .type = Type::kNames,
     .text_rule = kPortRule,
     .read = ReadPortRange,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.port = PortsOf(v); },
     .prose = "The port of either end."},
    {.name = "filter.rule.local_port",
     .type = Type::kNames,
     .text_rule = kPortRule,
     .read = ReadPortRange,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.local_port = PortsOf(v); },
     .prose = "The port of the end whose process is told."},
    {.name = "filter.rule.remote_port",
     .type = Type::kNames,
     .text_rule = kPortRule,
     .read = ReadPortRange,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.remote_port = PortsOf(v); },
     .prose = "The port of its peer."},
    {.name = "filter.rule.direction",
     .type = Type::kWord,
     .words = DirectionWords,
     .set_rule = [](FilterRule& r,
                    const Value& v) { r.direction = v.number == 0 ? Direction::kActive : Direction::kPassive; },
     .prose = "active: the process connected. passive: it accepted."},
    {.name = "filter.rule.loopback",
     .type = Type::kWord,
     .words = BooleanWords,
     .set_rule = [](FilterRule& r, const Value& v) { r.loopback = v.number != 0; },
     .prose = "Whether the address of either end is in 127.0.0.0/8 or is ::1."},
};

}  // namespace

std::span<const Key> FilterKeys() { return kKeys; }

}  // namespace sockflow::config

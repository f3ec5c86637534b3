#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks which room includes which: the arrows of docs/architecture.md, read from the sources."""

import pathlib
import re
import sys

# Rooms of src/ that a room may include headers of, besides its own and the model's (sockflow/*.h).
ALLOWED = {
    "model": set(),
    "session": set(),
    "source": set(),
    "enrich": set(),
    "ipfix": set(),
    "transport": set(),
    "delivery": {"ipfix", "transport"},
    "health": {"ipfix", "transport"},
    "config": {"ipfix", "transport"},
    "collector": {"ipfix", "transport"},
    "agent": {"session", "source", "enrich", "ipfix", "transport", "delivery", "health",
              "config", "collector"},
}
# Public headers of a room: sockflow/ipfix/... is ipfix, these are their room's, the rest is the model's.
PUBLIC = {"sockflow/config.h": "config", "sockflow/transport.h": "transport",
          "sockflow/session_table.h": "session", "sockflow/event_source.h": "source",
          "sockflow/enricher.h": "enrich"}
# The middle is pure: no clocks, sockets, files or threads.
PURE = {"model", "session", "ipfix"}
IMPURE_INCLUDE = re.compile(
    r'#include\s*<(thread|mutex|fstream|iostream|sys/socket\.h|sys/stat\.h|fcntl\.h|unistd\.h|time\.h|'
    r'netdb\.h|poll\.h)>')
# What other systems do not have: in leaf files of one platform only.
PORTABLE = "src/source/pcap"
LEAF = re.compile(r"_(linux|windows)\.(cc|h)$")
PLATFORM_INCLUDE = re.compile(
    r"#include\s*<((sys|linux|net|netinet|arpa|asm)/|(unistd|poll|ifaddrs|netdb|dirent|sched)\.h>)")
# Both define struct bpf_insn.
LIBPCAP, LIBBPF = re.compile(r"#include\s*<pcap"), re.compile(r"#include\s*<bpf/")
CLOCK = re.compile(r"(system_clock|steady_clock)::now|clock_gettime")
INCLUDE = re.compile(r'#include\s*"([^"]+)"')


def room_of(include):
    """The room whose header this is; None: the model, or not ours."""
    if include in PUBLIC:
        return PUBLIC[include]
    if include.startswith("sockflow/"):
        return "ipfix" if include.startswith("sockflow/ipfix/") else None
    first = include.split("/")[0]
    return first if first in ALLOWED and "/" in include else None


def closure(path, root, seen):
    """The texts of a source and of all that it includes of ours."""
    seen.add(path)
    text = path.read_text()
    yield text
    for include in INCLUDE.findall(text):
        for folder in ("src", "include", "bpf"):
            other = root / folder / include
            if other.exists() and other not in seen:
                yield from closure(other, root, seen)


def main():
    root = pathlib.Path(sys.argv[1])
    faults, files = [], 0
    for room, allowed in ALLOWED.items():
        sources = [p for p in (root / "src" / room).rglob("*") if p.suffix in (".cc", ".h", ".inc")]
        if not sources:
            faults.append(f"src/{room}: no such room")
        for path in sources:
            files += 1
            text = path.read_text()
            where = path.relative_to(root)
            for include in INCLUDE.findall(text):
                other = room_of(include)
                if other not in (None, room) and other not in allowed:
                    faults.append(f"{where}: {room} must not know {other} ({include})")
            if room in PURE and IMPURE_INCLUDE.search(text):
                faults.append(f"{where}: {room} is pure: {IMPURE_INCLUDE.search(text).group(0)}")
            if room in PURE and CLOCK.search(text):
                faults.append(f"{where}: {room} is pure: it reads a clock")
            if str(where).startswith(PORTABLE) and not LEAF.search(path.name):
                for include in PLATFORM_INCLUDE.finditer(text):
                    faults.append(f"{where}: not portable: {include.group(0)}")
            if path.suffix == ".cc":
                unit = "".join(closure(path, root, set()))
                if LIBPCAP.search(unit) and LIBBPF.search(unit):
                    faults.append(f"{where}: libpcap and libbpf meet in it")
    for path in (root / "include").rglob("*.h"):
        files += 1
        for include in INCLUDE.findall(path.read_text()):
            if not include.startswith(("sockflow/", "absl/")):
                faults.append(f"{path.relative_to(root)}: a public header includes {include}")
    print(f"{files} files, {len(faults)} forbidden arrows")
    for fault in faults:
        print(fault)
    return 1 if faults or not files else 0


sys.exit(main())

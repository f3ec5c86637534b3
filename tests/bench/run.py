#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The figures of cost and speed, as ratios within one run wherever that is possible.

run.py [--quick] BUILD_DIR prints a table and writes BUILD_DIR/bench.json. What is compared takes
turns (A B A B ...), so that whatever else the machine does meets both alike. No figure fails the
run: the goal stands beside it. Only events that were lost do, because that is no matter of speed."""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import sys
import time

sys.dont_write_bytecode = True  # a bench leaves nothing in the source tree
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import processes  # noqa: E402
from facts import AllFacts  # noqa: E402
from namespaces import Network  # noqa: E402
from processes import Agent, Bpftrace, Cost, Peer, Program, Sink  # noqa: E402

# What the tier pcap lets pass, as a user of tcpdump would say it.
PACKETS = ("tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0 or "
           "(ip6 and ip6[6] = 6 and ip6[53] & 7 != 0)")
# Of an agent to which neither BPF nor the kernel's tracepoints are open.
BARE = "+net_raw,+dac_read_search,+sys_ptrace"


def ratios(rounds, name, last, figure):
    """Each round's figure against the mean of what the load alone took before and after it: the
    machine's slow changes cancel out."""
    alone = [one["alone"][figure] for one in rounds] + [last[figure]]
    return [one[name][figure] * 2 / (alone[i] + alone[i + 1]) for i, one in enumerate(rounds)
            if name in one]


def noise(rounds, last, figure):
    """The same of the load alone: how far from 1 a ratio gets by chance."""
    alone = [one["alone"][figure] for one in rounds] + [last[figure]]
    return [alone[i] * 2 / (alone[i - 1] + alone[i + 1]) for i in range(1, len(alone) - 1)]


class Bench:
    def __init__(self, build, quick):
        self.build = build
        self.tools = f"{build}/tests/bench"
        self.pairs = 3 if quick else 15
        self.few = 3 if quick else 7
        self.connections = 20_000 if quick else 40_000  # of each pair of processes
        self.load_pairs = max(1, os.cpu_count() // 2)
        self.facts_rate = 8_000  # connections a second of each pair: a fifth of what a core can make
        self.idle_seconds = 5 if quick else 20
        self.megabytes = 1024 if quick else 4096
        self.codec_seconds = "0.1" if quick else "0.3"
        self.rows = []
        self.raw = {}

    # --- what is printed ---

    def row(self, figure, values, goal="", digits=2, factor=1.0):
        """One line of the table: the median of the values and their range."""
        values = [value * factor for value in values]
        text = f"{statistics.median(values):,.{digits}f}"
        if len(values) > 1:
            text += f" [{min(values):,.{digits}f} .. {max(values):,.{digits}f}]"
        self.rows.append((figure, text, goal))
        print(f"  {figure}: {text}{'   goal ' + goal if goal else ''}", flush=True)

    def note(self, figure, text, goal=""):
        self.rows.append((figure, text, goal))
        print(f"  {figure}: {text}", flush=True)

    def stage(self, name, function):
        print(name, flush=True)
        begin = time.monotonic()
        self.raw[name] = function()
        print(f"  ({time.monotonic() - begin:.0f} s)", flush=True)

    # --- the load ---

    def load(self, payload=0, run_json=processes.run_json, rate=0):
        result = run_json(f"{self.tools}/bench_connection_load", "--connections",
                          str(self.connections), "--pairs", str(self.load_pairs),
                          "--payload", str(payload), "--rate", str(rate))
        result["us"] = result["cpu_seconds"] / result["connections"] * 1e6
        return result

    def bulk_command(self):
        return f"{self.tools}/bench_bulk_transfer", "--megabytes", str(self.megabytes)

    def bulk(self):
        return processes.run_json(*self.bulk_command())

    # --- the stages ---

    def connections_stage(self):
        """1 and 2: the load alone, with the agent, with bpftrace, in turns."""
        with_bpftrace = shutil.which("bpftrace") is not None
        if not with_bpftrace:
            self.note("bpftrace", "not installed: left out")
        self.load()  # warms up
        rounds = []
        for _ in range(self.pairs):
            one = {"alone": self.load()}
            with Sink(self.build) as sink, Agent(self.build, sink.port) as agent:
                one["with_agent"] = self.load()
                one["agent"] = agent.settle()
                one["agent"]["rss"] = processes.memory_mb(agent.pid)
                one["agent"].update(agent.summary())
                one["sink"] = sink.counts()
            if with_bpftrace and len(rounds) < self.few:
                with Bpftrace(HERE / "tcplife.bt") as tracer:
                    one["with_bpftrace"] = self.load()
                    time.sleep(0.5)
                    one["bpftrace"] = tracer.cost.so_far()
                    one["bpftrace"]["rss"] = processes.memory_mb(tracer.pid)
                    text = tracer.stop()
                    one["bpftrace"]["lines"] = text.count(" 127.0.0.1 ")
            rounds.append(one)
        last = self.load()

        count = self.connections * self.load_pairs
        traced = [one for one in rounds if "bpftrace" in one]
        per_100k = 100_000 / count

        self.row("connections a second, load alone",
                 [count / one["alone"]["seconds"] for one in rounds], digits=0)
        self.row("CPU of the load, us a connection, alone", [one["alone"]["us"] for one in rounds])
        self.row("  ratio with agent / alone", ratios(rounds, "with_agent", last, "us"),
                 "<= 1.15", 3)
        if traced:
            self.row("  ratio with bpftrace tcplife / alone",
                     ratios(rounds, "with_bpftrace", last, "us"), "", 3)
        self.row("  ratio alone / alone: the noise", noise(rounds, last, "us"), "1", 3)
        self.row("agent's CPU seconds per 100,000 connections",
                 [one["agent"]["cpu"] for one in rounds], "<= 0.5", 3, per_100k)
        both = sum(one["agent"]["user"] + one["agent"]["system"] for one in rounds)
        for part in ("user", "system"):
            share = sum(one["agent"][part] for one in rounds) / max(both, 1e-9)
            self.row(f"  of it {part} (all rounds, by clock ticks)",
                     [statistics.median(one["agent"]["cpu"] for one in rounds) * share], "", 3,
                     per_100k)
        if traced:
            self.row("bpftrace tcplife's CPU seconds per 100,000 connections",
                     [one["bpftrace"]["cpu"] for one in traced], "", 3, per_100k)
            self.row("  its lines a connection (2 sockets each)",
                     [one["bpftrace"]["lines"] / count for one in traced])
        self.row("records exported a connection",
                 [one["agent"]["records"] / count for one in rounds], "4", 4)
        self.row("events lost, by the agent's statistics",
                 [one["agent"]["lost_events"] for one in rounds], "0", 0)
        self.row("messages sent that did not arrive",
                 [one["agent"]["messages"] - one["sink"]["datagrams"] for one in rounds], "", 0)
        self.row("records a message",
                 [one["agent"]["records"] / one["agent"]["messages"] for one in rounds], "", 1)
        self.row("agent's RSS after that load, MB", [one["agent"]["rss"] for one in rounds], "", 1)
        return rounds

    def payload_stage(self):
        """1 again: connections that carry something."""
        rounds = []
        for _ in range(self.few):
            one = {"alone": self.load(1024)}
            with Sink(self.build) as sink, Agent(self.build, sink.port) as agent:
                one["with_agent"] = self.load(1024)
                agent.settle()
                one["agent"] = agent.summary()
            rounds.append(one)
        last = self.load(1024)
        self.row("CPU of the load with 1 KiB a connection, us, alone",
                 [one["alone"]["us"] for one in rounds])
        self.row("  ratio with agent / alone", ratios(rounds, "with_agent", last, "us"),
                 "<= 1.15", 3)
        self.row("  ratio alone / alone: the noise", noise(rounds, last, "us"), "1", 3)
        return rounds

    def facts_stage(self):
        """2 again: everything that can be told, of a load within a pod, beside the default. At a rate
        whose records all leave: a record that is lost costs less."""
        rounds = []
        with AllFacts() as facts:
            for _ in range(self.few):
                one = {}
                with Sink(self.build) as sink, Agent(self.build, sink.port) as agent:
                    self.load(run_json=facts.run_json, rate=self.facts_rate)
                    one["default"] = {**agent.settle(), **agent.summary()}
                with Sink(self.build) as sink, facts.agent(self.build, sink.port) as agent:
                    self.load(run_json=facts.run_json, rate=self.facts_rate)
                    one["all"] = agent.settle()
                    one["all"]["rss"] = processes.memory_mb(agent.pid)
                    one["all"].update(agent.summary())
                rounds.append(one)
        per_100k = 100_000 / (self.connections * self.load_pairs)
        self.row("agent's CPU seconds per 100,000 connections, all facts told",
                 [one["all"]["cpu"] for one in rounds], "<= 1.5", 3, per_100k)
        self.row("  of these in user space", [one["all"]["user"] for one in rounds], "", 2, per_100k)
        self.row("  by default", [one["default"]["cpu"] for one in rounds], "", 3, per_100k)
        self.row("    of these in user space", [one["default"]["user"] for one in rounds], "", 2, per_100k)
        self.row("  ratio", [one["all"]["cpu"] / one["default"]["cpu"] for one in rounds])
        self.row("  events lost, by the agent's statistics",
                 [one["all"]["lost_events"] for one in rounds], "0", 0)
        self.row("  records lost", [one["all"]["lost_records"] for one in rounds], "0", 0)
        self.row("  agent's RSS after that load, MB", [one["all"]["rss"] for one in rounds], "", 1)
        return rounds

    def idle_stage(self):
        """3: an agent that has nothing to do."""
        with Sink(self.build) as sink, Agent(self.build, sink.port) as agent:
            time.sleep(2)
            cost = Cost(agent.pid)
            time.sleep(self.idle_seconds)
            result = {"cpu_share": cost.so_far()["cpu"] / self.idle_seconds,
                      "rss": processes.memory_mb(agent.pid),
                      "anonymous": processes.memory_mb(agent.pid, "RssAnon"),
                      **agent.summary()}
        self.row("agent's RSS idle, MB", [result["rss"]], "<= 20", 1)
        self.row("  of it not shared with files, MB", [result["anonymous"]], "", 1)
        self.row(f"agent's CPU idle for {self.idle_seconds} s, % of a core", [result["cpu_share"]],
                 "< 0.1", 4, 100)
        self.row("  events of other programs meanwhile", [result["events"]], "", 0)
        return result

    def programs_stage(self):
        """4: what each BPF program takes, as the kernel measures it. A run of its own, because the
        measuring costs time too."""
        if shutil.which("bpftool") is None:
            self.note("ns per call", "bpftool is not installed: left out")
            return None
        switch = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
        before = switch.read_text()
        count = self.connections * self.load_pairs
        try:
            with Sink(self.build) as sink, Agent(self.build, sink.port) as agent:
                switch.write_text("1")
                self.load()
                switch.write_text(before)
                ids = processes.programs_of(agent.pid)
                programs = [program for program in processes.run_json("bpftool", "prog", "show",
                                                                      "--json")
                            if program["id"] in ids]
        finally:
            switch.write_text(before)
        result = [{"name": program["name"], "calls": program.get("run_cnt", 0),
                   "ns": program.get("run_time_ns", 0)} for program in programs]
        for program in result:
            if program["calls"] == 0:
                continue
            self.note(f"ns a call: {program['name']}",
                      f"{program['ns'] / program['calls']:,.0f} "
                      f"({program['calls'] / count:.2f} calls a connection)")
        self.row("  all together, ns a connection", [sum(p["ns"] for p in result) / count], "", 0)
        return result

    def bulk_stage(self):
        """5: one connection that moves much."""
        rounds = []
        for _ in range(self.few):
            one = {"alone": self.bulk()}
            with Sink(self.build) as sink, Agent(self.build, sink.port) as agent:
                cost = Cost(agent.pid)
                one["with_agent"] = self.bulk()
                one["agent_cpu"] = cost.so_far()["cpu"]
                one["agent"] = agent.summary()
            rounds.append(one)
        last = self.bulk()
        self.row("bulk transfer, GB/s, alone",
                 [self.megabytes / 1024 / one["alone"]["seconds"] for one in rounds])
        self.row("  ratio of its CPU with agent / alone",
                 ratios(rounds, "with_agent", last, "cpu_seconds"), "about 1", 3)
        self.row("  ratio alone / alone: the noise", noise(rounds, last, "cpu_seconds"), "1", 3)
        self.row("  agent's CPU meanwhile, % of a core",
                 [one["agent_cpu"] / one["with_agent"]["seconds"] for one in rounds], "about 0", 4,
                 100)
        return rounds

    def codec_stage(self):
        """6: encoder and decoder in memory, beside libfixbuf's."""
        peer = f"{self.tools}/bench_fixbuf_codec"
        has_peer = pathlib.Path(peer).exists()
        if not has_peer:
            self.note("libfixbuf", "not installed when this was built: left out")
        ours, theirs = [], []
        for _ in range(self.few):
            ours.append(processes.run_json(f"{self.tools}/bench_codec_bench", self.codec_seconds))
            if has_peer:
                theirs.append(processes.run_json(peer, self.codec_seconds))
        for name in ours[0]:
            if name.startswith("octets"):
                if has_peer and ours[0][name] != theirs[0].get(name, ours[0][name]):
                    self.note(name, f"libfixbuf's records have {theirs[0][name]}: not the same work")
                continue
            goal = ">= 4.5" if name.startswith("encode") else ""
            self.row(f"{name}, M records/s", [one[name] for one in ours], goal, 2, 1e-6)
            if has_peer and name in theirs[0]:
                self.row("  libfixbuf, same fields", [one[name] for one in theirs], "", 2, 1e-6)
                self.row("  ratio ours / libfixbuf",
                         [one[name] / peer[name] for one, peer in zip(ours, theirs)],
                         ">= 2" if name.startswith("encode") else "> 1")
        return {"ours": ours, "libfixbuf": theirs}

    def udp_stage(self):
        """7: encoding and sending over UDP loopback, beside libfixbuf's exporter and a bare loop of
        send(); to a socket that nobody reads."""
        figures = processes.run_json(f"{self.tools}/bench_udp_bench", self.codec_seconds,
                                     str(self.few))
        for name, values in figures.items():
            self.row(f"UDP: {name}, M records/s", values, "", 2, 1e-6)

        def ratio(one, other, goal=""):
            if other in figures:
                self.row(f"  ratio {one} / {other}",
                         [a / b for a, b in zip(figures[one], figures[other])], goal)
        for ours in ("ours by 16", "ours by 64"):
            ratio(ours, "libfixbuf", ">= 2")
            ratio(ours, "bare loop", ">= 1")
        ratio("ours by 16, encoded before", "bare loop")
        # Records of many programs: their messages differ in length, and runs are short.
        ratio("mixed: ours by 16", "mixed: bare loop")
        ratio("mixed: ours by 16, encoded before", "mixed: bare loop")
        ratio("mixed: ours by 16, padded", "mixed: ours by 16")
        return figures

    def collect_stage(self):
        """8: from the kernel to the collector's JSON, at full speed."""
        rounds = []
        for _ in range(3):
            with Sink(self.build) as sink:
                port = sink.port  # free once the sink is gone
            with Program([f"{self.build}/sockflow", "collect",
                          "--listen", f"udp://127.0.0.1:{port}",
                          "--format", "json", "--output", "/dev/null"],
                         ready="listening on") as collector:
                cost = Cost(collector.pid)
                with Agent(self.build, port) as agent:
                    load = self.load()
                    agent.settle()
                    one = {"load": load, "agent": agent.summary()}
                time.sleep(1)
                one["collector_cpu"] = cost.so_far()["cpu"]
                text = collector.stop()
            words = dict(word.split("=") for word in text.split("collected ")[-1].split()
                         if word.count("=") == 1 and not word.startswith("("))
            one["collector"] = {name: int(value.rstrip(")")) for name, value in words.items()}
            rounds.append(one)
        self.row("agent to collector: records sent a second",
                 [one["agent"]["records"] / one["load"]["seconds"] for one in rounds], "", 0)
        self.row("  sent but not collected (below 0: options records)",
                 [one["agent"]["records"] - one["collector"]["records"] for one in rounds], "0", 0)
        for counter in ("records_lost_by_sequence", "datagrams_dropped_by_kernel", "malformed"):
            self.row(f"  {counter}", [one["collector"][counter] for one in rounds], "0", 0)
        self.row("  events lost, by the agent's statistics",
                 [one["agent"]["lost_events"] for one in rounds], "0", 0)
        self.row("  collector's CPU, us a record (decode, JSON)",
                 [one["collector_cpu"] / one["collector"]["records"] for one in rounds], "", 2, 1e6)
        return rounds


    def pcap_stage(self):
        """10: without eBPF, beside others that look at packets or sockets; 5,000 connections a second in
        a network of their own."""
        rate, connections = 5_000, 20_000 if self.few == 3 else 50_000
        found = {"tcpdump": shutil.which("tcpdump"), "softflowd": shutil.which("softflowd")}
        for name, path in found.items():
            if path is None:
                self.note(name, "not installed: left out")
        rounds = []
        with Network() as network:
            def load():
                return processes.run_json(*network.prefix, f"{self.tools}/bench_connection_load",
                                          "--own-network", "0", "--connections", str(connections),
                                          "--rate", str(rate))

            def agent(name, *prefix, tier="pcap"):
                with Sink(self.build, network.prefix) as sink, \
                        Agent(self.build, sink.port, tier=tier,
                              prefix=[*network.prefix, *prefix]) as one:
                    result = {"load": load(), **one.settle()}
                    result["rss"] = processes.memory_mb(one.pid)
                    result.update(one.summary())
                return result

            def peer(command, ready):
                with Peer([*network.prefix, *command], ready) as one:
                    result = {"load": load(), **one.cost.so_far()}
                    result["text"] = one.stop()
                return result

            for _ in range(self.few):
                one = {"alone": {"load": load()},
                       "sockflow pcap": agent("sockflow pcap"),
                       "sockflow pcap, no tracepoint": agent(
                           "bare", "setpriv", "--inh-caps", f"-all,{BARE}", "--bounding-set",
                           f"-all,{BARE}"),
                       "sockflow tracepoint (eBPF)": agent("eBPF", tier="tracepoint"),
                       "polling of sockets": peer([f"{self.tools}/bench_socket_poller"], "polling")}
                if found["tcpdump"]:
                    one["tcpdump, same filter"] = peer(
                        ["tcpdump", "-i", "any", "-n", "-s", "192", "-w", "/dev/null", PACKETS],
                        "listening on")
                if found["softflowd"]:
                    one["softflowd"] = peer(
                        ["softflowd", "-d", "-i", "lo", "-v", "10", "-n", "127.0.0.1:9"],
                        "softflowd v|Starting|starting")
                rounds.append(one)
        for name in rounds[0]:
            if name == "alone":
                continue
            goal = "<= 1.5" if name == "sockflow pcap" else ""
            self.row(f"CPU s per 100,000 connections at {rate}/s: {name}",
                     [one[name]["cpu"] * 100_000 / connections for one in rounds], goal, 3)
            self.row("  the load's CPU with it / alone",
                     [one[name]["load"]["cpu_seconds"] / one["alone"]["load"]["cpu_seconds"]
                      for one in rounds], "", 3)
            if "records" in rounds[0][name]:
                self.row("  records a connection", [one[name]["records"] / connections
                                                    for one in rounds], "4", 4)
                self.row("  packets dropped by the kernel",
                         [one[name]["reasons"].get("capture_buffer_full", 0) for one in rounds],
                         "0", 0)
                self.row("  RSS, MB", [one[name]["rss"] for one in rounds], "", 1)
        polled = [json.loads(one["polling of sockets"].pop("text").splitlines()[-1])
                  for one in rounds]
        self.row("  sockets that polling saw, of 2 a connection",
                 [one["seen"] / connections for one in polled], "", 4)
        self.row("  named by polling, of 2 a connection",
                 [one["named"] / connections for one in polled], "", 4)
        bulk = []
        for _ in range(self.few):
            with Network() as network:
                one = {"alone": processes.run_json(*network.prefix, *self.bulk_command(),
                                                         "--own-network", "0")}
                with Sink(self.build, network.prefix) as sink, \
                        Agent(self.build, sink.port, tier="pcap", prefix=network.prefix) as agent:
                    time.sleep(1)  # its start is over
                    cost = Cost(agent.pid)
                    one["with_agent"] = processes.run_json(*network.prefix, *self.bulk_command(),
                                                         "--own-network", "0")
                    one["cpu"] = cost.so_far()["cpu"]
                bulk.append(one)
        self.row("bulk transfer, Gbit/s, with sockflow pcap",
                 [self.megabytes * 8 / 1024 / one["with_agent"]["seconds"] for one in bulk])
        self.row("  its CPU, with / alone",
                 [one["with_agent"]["cpu_seconds"] / one["alone"]["cpu_seconds"] for one in bulk],
                 "about 1", 3)
        self.row("  agent's CPU meanwhile, % of a core",
                 [one["cpu"] / one["with_agent"]["seconds"] for one in bulk], "< 0.2", 4, 100)
        return {"rounds": rounds, "bulk": bulk}

    def dead_stage(self):
        """9: a second collector, over TCP, that is dead: refuses, or accepts and never reads. Beside a
        second one that works, because a record for two is encoded twice in any case."""
        count = self.connections * self.load_pairs
        with socket.socket() as refusing, socket.socket() as silent, Sink(self.build) as second:
            for one in (refusing, silent):
                one.bind(("127.0.0.1", 0))
            silent.listen()
            others = {"works (UDP)": f"udp://127.0.0.1:{second.port}",
                      "refuses (TCP)": f"tcp://127.0.0.1:{refusing.getsockname()[1]}",
                      "never reads (TCP)": f"tcp://127.0.0.1:{silent.getsockname()[1]}"}
            rounds = []
            for _ in range(self.few):
                one = {}
                for name, url in others.items():
                    with Sink(self.build) as sink, \
                            Agent(self.build, sink.port, "--collector", url) as agent:
                        load = self.load()
                        one[name] = {"load": load["us"], "agent": agent.settle()["cpu"],
                                     **agent.summary()}
                rounds.append(one)
        works, *dead = others
        for name in others:
            self.row(f"CPU s per 100,000 connections, second collector {name}",
                     [one[name]["agent"] * 100_000 / count for one in rounds], "", 3)
        for name in dead:
            self.row(f"  ratio {name} / {works}",
                     [one[name]["agent"] / one[works]["agent"] for one in rounds], "<= 1")
            self.row("  ratio of the load's CPU",
                     [one[name]["load"] / one[works]["load"] for one in rounds], "about 1")
            self.row("  events lost, by the agent's statistics",
                     [one[name]["lost_events"] for one in rounds], "0", 0)
        return rounds


def machine():
    model = next((line.split(":", 1)[1].strip()
                  for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), os.uname().machine)
    return f"{os.uname().release}, {os.cpu_count()} x {model}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
    parser.add_argument("--only", help="one stage: connections, payload, idle, ...")
    parser.add_argument("build")
    options = parser.parse_args()
    build = pathlib.Path(options.build).resolve()
    if os.geteuid() != 0:
        sys.exit("The bench attaches BPF programs and makes network namespaces: run it as root.")
    for program in ("sockflow", "tests/bench/bench_connection_load"):
        if not (build / program).exists():
            sys.exit(f"{build / program} is not there: build the targets sockflow and "
                     "bench_programs, or say `make bench`.")

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("interrupted"))  # what was started is stopped

    bench = Bench(str(build), options.quick)
    load_before = os.getloadavg()[0]
    bench.raw["machine"] = machine()
    print(f"{machine()}; load average {load_before:.2f} before the bench")
    for name, function in (("connections", bench.connections_stage),
                           ("payload", bench.payload_stage),
                           ("facts", bench.facts_stage), ("idle", bench.idle_stage),
                           ("programs", bench.programs_stage), ("bulk", bench.bulk_stage),
                           ("codec", bench.codec_stage), ("udp", bench.udp_stage),
                           ("collect", bench.collect_stage), ("dead", bench.dead_stage), ("pcap", bench.pcap_stage)):
        if options.only in (None, name):
            bench.stage(name, function)

    print(f"\n{machine()}; load average {load_before:.2f} before the bench; "
          f"{bench.load_pairs} x 2 processes make {bench.connections} connections each round\n")
    widths = [max(len(row[i]) for row in bench.rows) for i in (0, 1)]
    print(f"{'figure':{widths[0]}}  {'median [min .. max]':{widths[1]}}  goal")
    for figure, value, goal in bench.rows:
        print(f"{figure:{widths[0]}}  {value:{widths[1]}}  {goal}".rstrip())
    raw = build / "bench.json"
    raw.write_text(json.dumps({**bench.raw, "table": bench.rows}, indent=1))
    print(f"\nraw figures: {raw}")
    lost = sum(one["agent"]["lost_events"] for one in bench.raw.get("connections", []))
    if lost:
        sys.exit(f"{lost} events were lost at full speed.")


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("interrupted")

# SPDX-License-Identifier: MIT
"""The programs that the bench starts, and what they cost."""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """CPU time of all threads of a process, exact to the nanosecond (proc(5) task/*/schedstat)."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def user_and_system(pid):
    """User and system time as the kernel tells them apart: by samples at each clock tick."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def memory_mb(pid, what="VmRSS"):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{what}:\s+(\d+) kB", status, re.M)[1]) / 1024


class Cost:
    """What a process takes from now on."""

    def __init__(self, pid):
        self.pid, self.cpu, self.split = pid, cpu_seconds(pid), user_and_system(pid)

    def so_far(self):
        user, system = user_and_system(self.pid)
        return {"cpu": cpu_seconds(self.pid) - self.cpu, "user": user - self.split[0],
                "system": system - self.split[1]}


class Program:
    """A program in the background, its standard error in a file; stopped when the block ends."""

    def __init__(self, command, ready, stop_signal=signal.SIGTERM, timeout=30):
        self.log = tempfile.NamedTemporaryFile("r+", prefix="sockflow-bench-")
        self.stop_signal = stop_signal
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT)
        self.pid = self.process.pid
        deadline = time.monotonic() + timeout
        while not re.search(ready, self.text()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{command[0]} did not start: {self.text().strip()}")
            time.sleep(0.02)

    def text(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def stop(self):
        """Ends the program; returns all that it printed."""
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Agent(Program):
    """sockflow in the tracepoint tier, with default settings whatever this host's configuration."""

    def __init__(self, build, port, *more, tier="tracepoint", prefix=()):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
            self.start([*prefix, *self.command(build, config.name, tier), "--collector",
                        f"udp://127.0.0.1:{port}", *more], ready=r"capture tier:")

    def start(self, command, ready):
        super().__init__(command, ready)
        self.cost = Cost(self.pid)

    @staticmethod
    def command(build, config, tier="tracepoint"):
        return f"{build}/sockflow", "run", "--config", config, "--tier", tier

    def settle(self, quiet=0.05):
        """Waits until the agent has worked off what is in the ring buffer; the records that wait
        for their message to fill are few."""
        before = -1.0
        while cpu_seconds(self.pid) - before > 0.001:
            before = cpu_seconds(self.pid)
            time.sleep(quiet)
        return self.cost.so_far()

    def summary(self):
        """Stops the agent and reads its last line."""
        text = self.stop()
        # Of several collectors the first.
        found = re.search(r"seen (\d+) events: .*?exported (\d+) records in (\d+) messages, "
                          r"lost (\d+) records.*; lost by reason: (.*)", text)
        if not found:
            raise RuntimeError(f"the agent ended without its statistics: {text.strip()}")
        reasons = {name: int(count) for name, count in re.findall(r"(\w+) (\d+)", found[5])}
        # Not a loss: sessions that were there before the agent.
        lost = sum(reasons.values()) - reasons.get("unknown_session", 0)
        return {"events": int(found[1]), "records": int(found[2]), "messages": int(found[3]),
                "lost_records": int(found[4]), "lost_events": lost, "reasons": reasons}


class Sink(Program):
    def __init__(self, build, prefix=()):
        super().__init__([*prefix, f"{build}/tests/bench/bench_udp_sink"], ready=r"port.*\n")
        self.port = json.loads(self.text().splitlines()[0])["port"]

    def counts(self):
        return json.loads(self.stop().splitlines()[-1])


class Bpftrace(Program):
    """bpftrace with its file systems mounted where only it sees them. Like most users' its output
    goes to a file."""

    MOUNT = ("mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing; "
             "mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug; "
             'exec bpftrace "$0"')

    def __init__(self, script):
        super().__init__(["unshare", "--mount", "sh", "-c", self.MOUNT, str(script)],
                         ready=r"Attaching \d+ probes", stop_signal=signal.SIGINT)
        time.sleep(1)  # it says so before it is done
        self.cost = Cost(self.pid)


class Peer(Program):
    """Another program that watches the same traffic."""

    def __init__(self, command, ready):
        super().__init__(command, ready)
        self.cost = Cost(self.pid)


def programs_of(pid):
    """The ids of the BPF programs that a process holds (proc(5) fdinfo of programs and links)."""
    ids = set()
    for entry in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        ids.update(map(int, re.findall(r"^prog_id:\s+(\d+)", entry.read_text(), re.M)))
    return ids


def run_json(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
    return json.loads(done.stdout)

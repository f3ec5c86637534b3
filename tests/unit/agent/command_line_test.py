#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the program says to wrong and to simple uses, and its exit status."""

import csv
import io
import os
import subprocess
import sys
import tempfile

SOCKFLOW = os.path.abspath(sys.argv[1])
faults = []


def run(*arguments, cwd=None):
    done = subprocess.run([SOCKFLOW, *arguments], capture_output=True, text=True, timeout=20, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


def expect(arguments, status, out="", err="", cwd=None):
    """Runs it; `out` and `err` must be found in what it prints; errors are one line."""
    code, stdout, stderr = run(*arguments, cwd=cwd)
    if code != status or out not in stdout or err not in stderr:
        faults.append(f"{arguments}: exit {code} (wanted {status})\n{stdout}{stderr}")
    return stdout, stderr


with tempfile.TemporaryDirectory() as folder:
    good = os.path.join(folder, "good.yaml")
    with open(good, "w") as f:
        f.write('interface: "lo"\nbpf:\n  source_host: " "\ncollector:\n  host: "127.0.0.1"\n'
                "  port: 4739\nexporter:\n  interval_seconds: 5\n  chunk_size: 10\n")
    bad = os.path.join(folder, "bad.yaml")
    with open(bad, "w") as f:
        f.write("exporter:\n  chunk_size: ten\n  intervall_seconds: 1\n")

    expect(["--version"], 0, out="sockflow 0.")
    expect(["--help"], 0, out="Subcommands")
    expect(["run", "--help"], 0, out="--collector")
    expect(["collect", "--help"], 0, out="--listen")
    expect(["fields", "--help"], 0, out="--profile")
    expect(["--check", "--config", good], 0, out="configuration OK")
    expect(["run", "--check", "--config", good], 0, out="configuration OK")
    # The file of the working directory is found by itself.
    os.rename(good, os.path.join(folder, "config.yaml"))
    expect(["--check"], 0, out="config.yaml", cwd=folder)

    out, err = expect(["--check", "--config", bad], 2, err=f"{bad}:2: exporter.chunk_size: ")
    if f"{bad}:3: exporter.intervall_seconds: " not in err or "interval_seconds" not in err:
        faults.append(f"second fault not told: {err}")
    if out:
        faults.append(f"standard output of a wrong configuration: {out}")
    expect(["--config", os.path.join(folder, "absent.yaml")], 2, err="absent.yaml")

for arguments, words in [
        (["collct"], '"collct" is no command'),
        (["--frobnicate"], "--frobnicate"),
        (["--tier", "fenty"], "did you mean fentry"),
        (["--tier", "fentry", "--pcap"], "excludes"),
        (["--collector", "dccp://host"], '--collector: scheme "dccp"'),
        (["--collector", "udp://host:0"], "--collector: "),
        (["--profile", "all"], "--profile: "),
        (["--print=xml"], "--print: "),
        (["--duration", "-1"], "--duration"),
        (["--log-level", "loud"], "--log-level: "),
        (["collect", "--format", "xml"], "--format: "),
        (["collect", "--listen", "udp://127.0.0.1:99999"], "99999"),
        (["fields", "--format", "xml"], "--format: "),
        (["fields", "--profile", "x"], "--profile: ")]:
    expect(arguments, 2, err=words)

expect(["--read", "/no-such.pcap", "--collector", "udp://127.0.0.1:9"], 1, err="cannot be opened")

rows = list(csv.DictReader(io.StringIO(run("fields", "--format", "csv")[1])))
if list(rows[0]) != ["pen", "id", "name", "type", "semantics", "units", "status"]:
    faults.append(f"columns of fields: {list(rows[0])}")
names = {row["name"] for row in rows}
for name in ("flowId", "sourceIPv4Address", "applicationName", "SRC_PROC_PID"):
    if name not in names:
        faults.append(f"fields lacks {name}")
iana = list(csv.DictReader(io.StringIO(run("fields", "--format", "csv", "--profile", "iana")[1])))
if not iana or any(row["pen"] != "0" for row in iana):
    faults.append("profile iana has enterprise elements, or none at all")
if any(row["status"] != "current" for row in rows):
    faults.append("a deprecated element is exported")

print("\n".join(faults) if faults else "all as expected")
sys.exit(bool(faults))

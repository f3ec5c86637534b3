#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# Agent and collector in a root with nothing but the static sockflow, /proc and /sys, and one session
# between two other programs, whose records it prints. Environment: SOCKFLOW is that file, TIER how to
# capture.
set -eu
readonly ROOT=/tmp/root PORT=7777

. "${0%/*}/wait_for.sh"

rm -rf $ROOT/*.log $ROOT/records
mkdir -p $ROOT/proc $ROOT/sys
cp "$SOCKFLOW" $ROOT/sockflow
grep -q " $ROOT/proc " /proc/mounts || mount -t proc proc $ROOT/proc
grep -q " $ROOT/sys " /proc/mounts || mount -o rbind /sys $ROOT/sys

chroot $ROOT /sockflow collect --listen udp://127.0.0.1:4739 --format json --output /records \
  2>$ROOT/collector.log &
collector=$!
wait_for 'listening on' $ROOT/collector.log
chroot $ROOT /sockflow run --tier "$TIER" --collector udp://127.0.0.1:4739 2>$ROOT/agent.log &
agent=$!
wait_for 'capture tier: ' $ROOT/agent.log

/bin/nc -l -p $PORT >/dev/null </dev/null &
wait_for ":$(printf %04X $PORT) 0*:0000 0A" /proc/net/tcp6
echo hello | /bin/nc 127.0.0.1 $PORT
wait $!

kill -TERM $agent
wait $agent
kill -TERM $collector
wait $collector
cat $ROOT/agent.log
# Start and end at each of the two sockets, each with its process.
grep "\"destinationTransportPort\":$PORT,.*_PROC_NAME\":\"nc\"" $ROOT/records >/tmp/session
sed 's/^/session /' /tmp/session
[ "$(wc -l </tmp/session)" = 4 ]

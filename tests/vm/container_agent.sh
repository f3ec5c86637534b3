#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# Sessions of a container that runc makes on a host with cgroup v2 alone, or with v1 alone, which no host of
# ours is: prints the records, each with the container's id. Environment: SOCKFLOW and SESSIONS are programs,
# CGROUPS is v1 or v2.
set -eu
readonly PORT=7777 ID=34dc0b5e626f2c5c4c5170e34b10e7654ce36f0fcd532739f4445baabea03376
readonly BUNDLE=/tmp/bundle ROOT=/sys/fs/cgroup

. "${0%/*}/wait_for.sh"

# Before v2: its controllers are free as long as it has no cgroups.
if [ "$CGROUPS" = v1 ]; then
  umount $ROOT
  mount -t tmpfs tmpfs $ROOT
  for controller in memory pids devices freezer cpu cpuset; do
    mkdir $ROOT/$controller
    mount -t cgroup -o $controller cgroup $ROOT/$controller
  done
fi

rm -rf $BUNDLE /tmp/*.log /tmp/records
mkdir -p $BUNDLE/rootfs/proc $BUNDLE/rootfs/bin
cp /bin/busybox $BUNDLE/rootfs/bin
cp "$SESSIONS" $BUNDLE/rootfs/sessions
# The last session is handed to nobody; the container stays until it has been seen.
cat >$BUNDLE/config.json <<END
{"ociVersion": "1.0.2", "root": {"path": "rootfs"},
 "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"], "args":
   ["/bin/busybox", "sh", "-c", "/sessions $PORT 5 /nobody; until [ -e /seen ]; do /bin/busybox usleep 50000; done"]},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
 "linux": {"cgroupsPath": "/docker/$ID", "namespaces":
   [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]}}
END

"$SOCKFLOW" collect --listen udp://127.0.0.1:4739 --format json --output /tmp/records 2>/tmp/collector.log &
collector=$!
wait_for 'listening on' /tmp/collector.log
"$SOCKFLOW" run --collector udp://127.0.0.1:4739 2>/tmp/agent.log &
agent=$!
wait_for 'capture tier: ' /tmp/agent.log

# The root of an initramfs cannot be pivoted.
runc run --no-pivot --bundle $BUNDLE test >/tmp/runc.log 2>&1 </dev/null &
container=$!
wait_for "\"destinationTransportPort\":$PORT,.*\"SRC_PROC_NAME\":\"sessions\"" /tmp/records
touch $BUNDLE/rootfs/seen
wait $container
kill -TERM $agent
wait $agent
kill -TERM $collector
wait $collector
cat /tmp/agent.log /tmp/runc.log
if [ "$CGROUPS" = v1 ]; then
  umount $ROOT/* $ROOT
  mount -t cgroup2 cgroup2 $ROOT
fi
# Start and end at each of the two sockets of six sessions.
grep "\"destinationTransportPort\":$PORT,.*_PROC_CONTAINER_ID\":\"$ID\"" /tmp/records >/tmp/sessions
sed 's/^/session /;q' /tmp/sessions
[ "$(wc -l </tmp/sessions)" = 24 ]

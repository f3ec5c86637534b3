#!/bin/sh
# SPDX-License-Identifier: MIT
# Shows the whole way on this host: an agent that exports to a collector that prints, both from the
# given binary. Ends at Ctrl-C or after so many seconds.
#   try.sh build/sockflow [SECONDS]
set -eu

sockflow=$1
seconds=${2:-}
url=udp://127.0.0.1:4739

# In a session of its own: Ctrl-C is for the agent, and the collector stays to show what the agent still
# sends as it stops.
setsid "$sockflow" collect --listen "$url" &
collector=$!

# If it cannot listen it has said why.
sleep 0.3
if ! kill -0 $collector 2>/dev/null; then
  wait $collector && exit 1 || exit $?
fi

stop_collector() {
  sleep 0.3 # for the last messages
  kill $collector 2>/dev/null || true
  wait $collector || true
}
trap stop_collector EXIT
trap 'exit 143' TERM HUP
trap : INT # the agent's; the shell goes on when it has ended

"$sockflow" run --collector "$url" ${seconds:+--duration "$seconds"}

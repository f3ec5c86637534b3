#!/bin/sh
# SPDX-License-Identifier: MIT
# Shows the whole way on this host: an agent that exports to a collector that prints, both from the
# given binary. Ends at Ctrl-C or after so many seconds.
#   try.sh build/sockflow [SECONDS]
set -eu

sockflow=$1
seconds=${2:-}
url=udp://127.0.0.1:4739

# Ctrl-C is for the agent: the collector stays to show what the agent sends as it stops.
(trap '' INT; exec "$sockflow" collect --listen "$url") &
collector=$!
trap 'kill $collector 2>/dev/null || true; wait $collector || true' EXIT

# If it cannot listen it has said why.
sleep 0.3
kill -0 $collector 2>/dev/null || { trap - EXIT; wait $collector; exit $?; }

trap : INT
"$sockflow" run --collector "$url" ${seconds:+--duration "$seconds"} || exit $?
# Let it print the last messages.
sleep 0.3

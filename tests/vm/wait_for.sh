# SPDX-License-Identifier: MIT
# For scripts of busybox's sh in a virtual machine.

# wait_for PATTERN FILE: until a line of the file matches; after a minute without, the script has failed. (A kernel
# under emulation takes long to verify programs when its host has other work.)
wait_for() {
  for _ in $(seq 600); do
    grep -q "$1" "$2" 2>/dev/null && return
    usleep 100000
  done
  echo "no \"$1\" in $2:"
  cat "$2"
  exit 1
}

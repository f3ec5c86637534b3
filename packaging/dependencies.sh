#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the Debian packages that the named purposes need: build, static, test, kubernetes, bench. Without root
# it says which are missing. Changes nothing else of the machine.
set -eu

packages_for() {
  case $1 in
    build)
      echo g++ cmake ninja-build pkg-config clang bpftool libbpf-dev libelf-dev libpcap-dev zlib1g-dev \
        libzstd-dev libabsl-dev libfmt-dev libspdlog-dev libyaml-cpp-dev libcli11-dev libssl-dev \
        libcurl4-openssl-dev nlohmann-json3-dev ;;
    static)
      echo python3 dpkg-dev flex bison ;;
    test)
      echo libgtest-dev libgmock-dev python3 tshark nfdump \
        pmacct libfixbuf-tools python3-venv golang-go ca-certificates \
        qemu-system-x86 busybox-static libclang-rt-dev runc ;;
    kubernetes)
      echo etcd-server golang-go ca-certificates containerd containernetworking-plugins runc busybox-static \
        iproute2 util-linux ;;
    bench)
      echo libfixbuf-dev bpftrace tcpdump softflowd ;;
    *)
      echo "usage: $0 build|static|test|kubernetes|bench ..." >&2
      exit 2 ;;
  esac
}

missing=
for purpose in "$@"; do
  for package in $(packages_for "$purpose"); do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$status" = 'install ok installed' ] || missing="$missing $package"
  done
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "Missing packages. As root: apt-get install --no-install-recommends$missing" >&2
  exit 1
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # a list of words
apt-get install -y -qq --no-install-recommends $missing >/dev/null

# The tests start its programs themselves; Debian's package would watch this host, or serve it, from now on.
case " $missing " in
  *' pmacct '*)
    [ ! -d /run/systemd/system ] || systemctl --quiet disable --now nfacctd pmacctd sfacctd uacctd ;;
esac
case " $missing " in
  *' etcd-server '*)
    [ ! -d /run/systemd/system ] || systemctl --quiet disable --now etcd ;;
esac
case " $missing " in
  *' containerd '*)
    [ ! -d /run/systemd/system ] || systemctl --quiet disable --now containerd ;;
esac

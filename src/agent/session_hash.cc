// SPDX-License-Identifier: MIT
#include "agent/session_hash.h"

#include <span>

namespace sockflow {
namespace {

constexpr uint64_t kFnvOffset = 14695981039346656037u;
constexpr uint64_t kFnvPrime = 1099511628211u;

// FNV-1a.
uint64_t Hash(std::span<const uint8_t> octets, uint64_t hash) {
  for (const uint8_t octet : octets) hash = (hash ^ octet) * kFnvPrime;
  return hash;
}

uint64_t Hash(const Endpoint& endpoint, uint64_t hash) {
  const uint8_t port[] = {static_cast<uint8_t>(endpoint.port >> 8),
                          static_cast<uint8_t>(endpoint.port & 0xFF)};
  return Hash(port, Hash(endpoint.address.octets(), hash));
}

}  // namespace

uint64_t HashOf(const Session& session) {
  return Hash(session.destination(), Hash(session.source(), kFnvOffset));
}

uint64_t HashOf(std::string_view text) {
  return Hash({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, kFnvOffset);
}

// The finalizer of SplitMix64: FNV alone spreads the last octets too little.
uint64_t Affinity(uint64_t session, uint64_t place) {
  uint64_t x = session ^ place;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

}  // namespace sockflow

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sockflow/time.h"
#include "source/pcap/capture_file.h"
#include "source/pcap/packet_filter.h"

struct pcap;

namespace sockflow::pcap {

// Packets of one interface, or of all of them ("any"), filtered in the kernel, through libpcap.
class LiveCapture {
 public:
  struct Options {
    std::string interface = "any";
    FilterOptions filter;
    size_t buffer_octets = 4 << 20;
    bool promiscuous = false;  // packets for others too (a mirror port)
  };

  struct Stats {
    uint64_t dropped = 0;            // by the kernel: our buffer was full
    uint64_t interface_dropped = 0;  // by the interface or its driver
  };

  // kNotFound: no such interface; kPermissionDenied; kUnavailable: it is down; kInvalidArgument: the
  // expression, for this link type. Each message says what to do.
  static absl::StatusOr<std::unique_ptr<LiveCapture>> Open(const Options& options);
  ~LiveCapture();
  LiveCapture(const LiveCapture&) = delete;
  LiveCapture& operator=(const LiveCapture&) = delete;

  // Delivers all that has been captured; never waits. kUnavailable: the interface is gone or down, and
  // nothing more comes. `octets` of a packet are valid during the call only.
  absl::Status Read(absl::FunctionRef<void(const CapturedPacket&)> deliver);

  // Readable when there are packets.
  int descriptor() const;
  uint32_t link_type() const { return link_type_; }
  // "Ethernet", "Linux cooked v2": for people.
  std::string link_type_name() const;
  Stats stats() const;

 private:
  explicit LiveCapture(::pcap* handle) : handle_(handle) {}
  absl::Status SetUp(const Options& options);
  absl::Status SetFilter(const Options& options);

  ::pcap* handle_;
  uint32_t link_type_ = 0;
  bool nanoseconds_ = false;
};

}  // namespace sockflow::pcap

// SPDX-License-Identifier: MIT
#include "source/pcap/live_capture.h"

#include <pcap/pcap.h>

#include <chrono>
#include <utility>

#include "fmt/format.h"

namespace sockflow::pcap {
namespace {

// Link layer with two VLAN tags, IPv6 with some extension headers, TCP with options.
constexpr int kSnapLength = 192;

absl::Status ExplainActivation(pcap_t* handle, int code, const std::string& interface) {
  std::string reason = pcap_geterr(handle);
  if (reason.empty()) reason = pcap_statustostr(code);
  switch (code) {
    case PCAP_ERROR_NO_SUCH_DEVICE:
      return absl::NotFoundError(fmt::format("no network interface \"{}\"", interface));
    case PCAP_ERROR_PERM_DENIED:
    case PCAP_ERROR_PROMISC_PERM_DENIED:
      return absl::PermissionDeniedError(
          fmt::format("packets may not be captured: {}; run as root or give CAP_NET_RAW", reason));
    case PCAP_ERROR_IFACE_NOT_UP:
      return absl::UnavailableError(fmt::format("interface {} is down", interface));
    default:
      return absl::FailedPreconditionError(
          fmt::format("cannot capture on {}: {}", interface, reason));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<LiveCapture>> LiveCapture::Open(const Options& options) {
  char error[PCAP_ERRBUF_SIZE] = "";
  pcap_t* const handle = pcap_create(options.interface.c_str(), error);
  if (handle == nullptr) {
    return absl::FailedPreconditionError(
        fmt::format("cannot capture on {}: {}", options.interface, error));
  }
  std::unique_ptr<LiveCapture> capture(new LiveCapture(handle));
  if (absl::Status ready = capture->SetUp(options); !ready.ok()) return ready;
  return capture;
}

LiveCapture::~LiveCapture() { pcap_close(handle_); }

absl::Status LiveCapture::SetUp(const Options& options) {
  pcap_set_snaplen(handle_, kSnapLength);
  pcap_set_promisc(handle_, options.promiscuous ? 1 : 0);
  // Each packet can be read as it comes; who reads them rests in between, so that this makes no wakeup of
  // each.
  pcap_set_immediate_mode(handle_, 1);
  pcap_set_buffer_size(handle_, static_cast<int>(options.buffer_octets));
  nanoseconds_ = pcap_set_tstamp_precision(handle_, PCAP_TSTAMP_PRECISION_NANO) == 0;
  if (const int code = pcap_activate(handle_); code < 0) {
    return ExplainActivation(handle_, code, options.interface);
  }
#ifdef DLT_LINUX_SLL2
  // Tells the interface of each packet. An error leaves the first version.
  if (pcap_datalink(handle_) == DLT_LINUX_SLL) (void)pcap_set_datalink(handle_, DLT_LINUX_SLL2);
#endif
  link_type_ = static_cast<uint32_t>(pcap_datalink(handle_));
  if (absl::Status filtered = SetFilter(options); !filtered.ok()) return filtered;
  char error[PCAP_ERRBUF_SIZE] = "";
  if (pcap_setnonblock(handle_, 1, error) != 0) {
    return absl::InternalError(fmt::format("cannot capture on {}: {}", options.interface, error));
  }
  return absl::OkStatus();
}

absl::Status LiveCapture::SetFilter(const Options& options) {
  // Not every link type has VLANs.
  for (const bool with_vlans : {true, false}) {
    bpf_program program{};
    const std::string expression = ExpressionOf(options.filter, with_vlans);
    if (pcap_compile(handle_, &program, expression.c_str(), /*optimize=*/1,
                     PCAP_NETMASK_UNKNOWN) != 0) {
      continue;
    }
    const int set = pcap_setfilter(handle_, &program);
    pcap_freecode(&program);
    if (set == 0) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(fmt::format("the filter does not suit {} of {}: {}",
                                                link_type_name(), options.interface,
                                                pcap_geterr(handle_)));
}

absl::Status LiveCapture::Read(absl::FunctionRef<void(const CapturedPacket&)> deliver) {
  struct Context {
    absl::FunctionRef<void(const CapturedPacket&)> deliver;
    uint32_t link_type;
    bool nanoseconds;
  } context{deliver, link_type_, nanoseconds_};
  const auto on_packet = [](u_char* user, const pcap_pkthdr* header, const u_char* octets) {
    const auto& to = *reinterpret_cast<const Context*>(user);
    const auto fraction = static_cast<int64_t>(header->ts.tv_usec) * (to.nanoseconds ? 1 : 1000);
    to.deliver({.at = Time(std::chrono::seconds(header->ts.tv_sec) + Duration(fraction)),
                .link_type = to.link_type,
                .length = header->len,
                .octets = {octets, header->caplen}});
  };
  const int count = pcap_dispatch(handle_, -1, on_packet, reinterpret_cast<u_char*>(&context));
  if (count >= 0) return absl::OkStatus();
  return absl::UnavailableError(pcap_geterr(handle_));
}

int LiveCapture::descriptor() const { return pcap_get_selectable_fd(handle_); }

std::string LiveCapture::link_type_name() const {
  const char* const name = pcap_datalink_val_to_description(static_cast<int>(link_type_));
  return name != nullptr ? name : fmt::format("link type {}", link_type_);
}

LiveCapture::Stats LiveCapture::stats() const {
  pcap_stat counted{};
  if (pcap_stats(handle_, &counted) != 0) return {};
  return {.dropped = counted.ps_drop, .interface_dropped = counted.ps_ifdrop};
}

}  // namespace sockflow::pcap

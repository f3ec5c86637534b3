// SPDX-License-Identifier: MIT
#include "transport/udp_transport.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "fmt/format.h"

namespace sockflow::transport {
namespace {

// A full queue of an interface says nothing when it has room again.
constexpr auto kQueuePause = std::chrono::milliseconds(1);

// What a kernel or a network card says to a run that it cannot cut. Some of it may mean that the
// messages are too long (before Linux 6.14 that is EINVAL, too).
bool MayRefuseRuns(int error) {
  return error == EINVAL || error == EIO || error == ENOPROTOOPT || error == EOPNOTSUPP ||
         error == EMSGSIZE;
}

}  // namespace

absl::Status SendError(const std::string& place, int error, size_t octets, size_t largest) {
  switch (error) {
    case ECONNREFUSED:
      return absl::FailedPreconditionError(fmt::format(
          "{}: refused an earlier message; start the collector or correct its address", place));
    case EAGAIN:
#if EAGAIN != EWOULDBLOCK
    case EWOULDBLOCK:
#endif
      return absl::ResourceExhaustedError(fmt::format(
          "{}: the socket's send buffer is full; raise net.core.wmem_max or send less", place));
    case ENOBUFS:
      return absl::AbortedError(fmt::format(
          "{}: the queue of the network interface is full; raise its txqueuelen or send less",
          place));
    case EMSGSIZE: {
      const std::string what =
          octets == 0 ? "an earlier message" : fmt::format("a message of {} octets", octets);
      if (largest == 0) {
        return absl::OutOfRangeError(fmt::format(
            "{}: {} is too long for the path; lower exporter.max_message_bytes", place, what));
      }
      return absl::OutOfRangeError(
          fmt::format("{}: {} is too long for the path, which takes {}; set "
                      "exporter.max_message_bytes to {}",
                      place, what, largest, largest));
    }
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
      return absl::NotFoundError(
          fmt::format("{}: no route: {}; check the network and the routing table", place,
                      std::strerror(error)));
    case EPERM:
    case EACCES:
      return absl::PermissionDeniedError(fmt::format(
          "{}: sending is forbidden: {}; allow it in this host's firewall", place,
          std::strerror(error)));
    default:
      return absl::UnknownError(
          fmt::format("{}: sending failed: {}", place, std::strerror(error)));
  }
}

UdpTransport::UdpTransport(const Url& url, Options options)
    : options_(std::move(options)), name_(url.ToString()), lookup_(url, options_.resolve) {}

void UdpTransport::StartLookup() {
  lookup_.Start();
  last_lookup_ = Clock::now();
}

absl::Status UdpTransport::Open(Waiter& waiter, Clock::time_point deadline) {
  EndSession();
  unconfirmed_ = 0;
  if (addresses_.empty() || Clock::now() - options_.lookup_interval >= last_lookup_) StartLookup();
  // Addresses that are known are tried rather than waited for.
  Lookup::Addresses found = addresses_.empty() ? lookup_.Get(waiter, deadline) : lookup_.Get();
  if (found.ok() && *found != addresses_) {
    addresses_ = *std::move(found);
    current_ = 0;
  }
  if (addresses_.empty()) {
    return absl::Status(found.status().code(),
                        fmt::format("{}: {}", name_, std::string(found.status().message())));
  }
  return Connect();
}

absl::Status UdpTransport::Connect() {
  int first_error = 0;
  for (size_t i = 0; i < addresses_.size(); ++i) {
    const size_t candidate = (current_ + i) % addresses_.size();
    int error = 0;
    sender_ = UdpSender::Open(addresses_[candidate], error);
    if (sender_ != nullptr) {
      current_ = candidate;
      segmentation_ = sender_->has_segmentation();
      return absl::OkStatus();
    }
    if (first_error == 0) first_error = error;
  }
  switch (first_error) {
    case EAFNOSUPPORT:
      return absl::FailedPreconditionError(
          fmt::format("{}: this host does not support the address family of {}; use the other one, "
                      "or enable IPv6",
                      name_, addresses_[current_].ToString()));
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::ResourceExhaustedError(
          fmt::format("{}: no socket could be opened: {}; raise the limit of open files", name_,
                      std::strerror(first_error)));
    default:
      return ErrorOf(first_error, 0);
  }
}

Transport::Result UdpTransport::Send(Messages messages, Waiter& waiter,
                                     Clock::time_point deadline) {
  size_t accepted = 0;
  // Messages before this one go singly: as a run they were refused, which of them is not known.
  size_t single_until = 0;
  bool runs_in_doubt = false;
  while (accepted < messages.size()) {
    const Messages rest = messages.subspan(accepted);
    // A message that pays for an earlier one goes alone, to be reported alone.
    const bool pays = lost_ > 0;
    const bool single = accepted < single_until;
    const size_t most = pays ? 1 : single ? single_until - accepted : rest.size();
    const UdpSender::Sent sent = sender_->Send(rest.first(most), segmentation_ && !single);
    if (sent.accepted > 0) {
      if (single && runs_in_doubt) segmentation_ = false;
      if (pays) {
        --lost_;
        return {accepted, Outcome::kMessageLost, ErrorOf(last_news_, 0)};
      }
      accepted += sent.accepted;
      continue;
    }
    // The error is about this message only if there is no news of earlier ones.
    const bool news = TakeNews();
    if (news && HasAlternative()) return MoveOn(accepted);
    const bool full = sent.error == EAGAIN || sent.error == EWOULDBLOCK || sent.error == ENOBUFS;
    if (full) {
      if (WaitForRoom(sent.error, waiter, deadline)) continue;
      return {accepted, Outcome::kBusy, ErrorOf(sent.error, rest.front().size())};
    }
    if (news) continue;
    if (sent.tried > 1) {
      single_until = accepted + sent.tried;
      runs_in_doubt = MayRefuseRuns(sent.error);
      continue;
    }
    return {accepted, Outcome::kMessageLost, ErrorOf(sent.error, rest.front().size())};
  }
  return {accepted, Outcome::kAll, absl::OkStatus()};
}

bool UdpTransport::WaitForRoom(int error, Waiter& waiter, Clock::time_point deadline) const {
  if (error != ENOBUFS) return waiter.Wait(sender_->fd(), Waiter::kWritable, deadline) != 0;
  const Clock::time_point next = Clock::now() + kQueuePause;
  if (next > deadline) return false;
  waiter.Wait(-1, 0, next);
  return Clock::now() >= next;  // or somebody woke us
}

bool UdpTransport::TakeNews() {
  const UdpSender::News news = sender_->TakeNews();
  if (news.error == 0) return false;
  lost_ += news.lost;
  last_news_ = news.error;
  return true;
}

// A message that is too long for one address is so for the others.
bool UdpTransport::HasAlternative() const {
  return addresses_.size() > 1 && last_news_ != EMSGSIZE;
}

Transport::Result UdpTransport::MoveOn(size_t accepted) {
  Result result{accepted, Outcome::kSessionOver, ErrorOf(last_news_, 0)};
  EndSession();
  current_ = (current_ + 1) % addresses_.size();
  return result;
}

Transport::Result UdpTransport::Check() {
  if (sender_ == nullptr) return {};
  if (TakeNews() && HasAlternative()) return MoveOn(0);
  if (lookup_.is_address()) return {};
  Lookup::Addresses found = lookup_.Get();
  if (found.ok() && *found != addresses_) {
    const SocketAddress used = addresses_[current_];
    addresses_ = *std::move(found);
    const auto same = std::find(addresses_.begin(), addresses_.end(), used);
    if (same == addresses_.end()) {
      current_ = 0;
      EndSession();
      return {0, Outcome::kSessionOver, absl::OkStatus()};
    }
    current_ = static_cast<size_t>(same - addresses_.begin());
  }
  if (Clock::now() - options_.lookup_interval >= last_lookup_) StartLookup();
  return {};
}

int UdpTransport::fd() const {
  // Without an alternative it is early enough to learn of a refusal from the next message.
  return sender_ != nullptr && addresses_.size() > 1 ? sender_->fd() : -1;
}

void UdpTransport::EndSession() {
  sender_ = nullptr;
  unconfirmed_ = std::exchange(lost_, 0);
}

absl::Status UdpTransport::Close(Waiter&, Clock::time_point) {
  if (sender_ == nullptr) return absl::OkStatus();
  TakeNews();
  absl::Status status = lost_ == 0 ? absl::OkStatus() : ErrorOf(last_news_, 0);
  EndSession();
  return status;
}

absl::Status UdpTransport::ErrorOf(int error, size_t octets) const {
  const SocketAddress& address = addresses_[current_];
  const std::string place =
      lookup_.is_address() ? name_ : fmt::format("{} ({})", name_, address.ToString());
  const size_t largest = error == EMSGSIZE && sender_ != nullptr ? sender_->LargestPayload() : 0;
  return SendError(place, error, octets, largest);
}

}  // namespace sockflow::transport

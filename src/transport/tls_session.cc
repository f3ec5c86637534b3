// SPDX-License-Identifier: MIT
#include "transport/tls_session.h"

#include <openssl/x509v3.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "fmt/format.h"
#include "transport/connection.h"
#include "transport/url.h"

namespace sockflow::transport {
namespace {

constexpr std::chrono::seconds kVerdictWait{1};  // see AwaitVerdict

// The least that every path carries of UDP over IPv6 (RFC 8200 5), where nothing else is known.
constexpr size_t kSafeDatagram = 1232;

// As certificates show it: a name without the last dot, an address without its zone.
std::string ReferenceName(const std::string& host) {
  std::string name = host.substr(0, IsAddress(host) ? host.find('%') : host.npos);
  if (!name.empty() && name.back() == '.') name.pop_back();
  return name;
}

TlsCircumstances& CircumstancesOf(SSL* ssl) {
  return *static_cast<TlsCircumstances*>(SSL_get_app_data(ssl));
}

int Verify(int good, X509_STORE_CTX* store) {
  if (good != 1) {
    SSL* ssl = static_cast<SSL*>(
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    CircumstancesOf(ssl).rejected = RejectedCertificate::From(*store);
  }
  return good;
}

// Called when the collector asks for a certificate, whether there is one or not.
int NoteRequest(SSL* ssl, void*) {
  CircumstancesOf(ssl).asked_for_certificate = true;
  return 1;
}

void NoteMessage(int ours, int, int type, const void*, size_t, SSL*, void* heard) {
  if (ours == 0 && type == SSL3_RT_HANDSHAKE) *static_cast<bool*>(heard) = true;
}

}  // namespace

TlsSession::TlsSession(const TlsContext& context, const std::string& host,
                       const std::string& place, TlsWire& wire)
    : wire_(wire),
      name_(ReferenceName(context.options().server_name.empty() ? host
                                                                : context.options().server_name)),
      bio_(wire),
      ssl_(SSL_new(context.get())) {
  circumstances_.place = place;
  circumstances_.expected_name = name_;
  circumstances_.certificate = context.options().certificate;
}

absl::StatusOr<std::unique_ptr<TlsSession>> TlsSession::Make(const TlsContext& context,
                                                             const std::string& host,
                                                             const std::string& place,
                                                             TlsWire& wire) {
  ERR_clear_error();
  std::unique_ptr<TlsSession> session(new TlsSession(context, host, place, wire));
  if (!session->Configure()) {
    return absl::ResourceExhaustedError(fmt::format("{}: no TLS session can be made: {}; free memory",
                                                    place, TakeOpensslError()));
  }
  return session;
}

bool TlsSession::Configure() {
  SSL* ssl = ssl_.get();
  if (ssl == nullptr) return false;
  BIO* bio = bio_.Make();
  if (bio == nullptr) return false;
  SSL_set_bio(ssl, bio, bio);
  SSL_set_connect_state(ssl);
  SSL_set_app_data(ssl, &circumstances_);
  SSL_set_verify(ssl, SSL_VERIFY_PEER, Verify);
  SSL_set_cert_cb(ssl, NoteRequest, nullptr);
  SSL_set_msg_callback(ssl, NoteMessage);
  SSL_set_msg_callback_arg(ssl, &heard_);
  if (SSL_is_dtls(ssl)) circumstances_.protocol = "DTLS";
  if (IsAddress(name_)) {
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name_.c_str()) == 1;
  }
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set1_host(ssl, name_.c_str()) == 1 &&
         SSL_set_tlsext_host_name(ssl, name_.c_str()) == 1;
}

void TlsSession::SetMtu() {
  if (!SSL_is_dtls(ssl_.get())) return;
  const size_t largest = wire_.LargestDatagram();
  SSL_set_mtu(ssl_.get(), static_cast<long>(largest == 0 ? kSafeDatagram : largest));
}

absl::Status TlsSession::ShakeHands(Waiter& waiter, Clock::time_point deadline) {
  SSL* ssl = ssl_.get();
  SetMtu();
  while (true) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl);
    const int wants = SSL_get_error(ssl, result);
    if (wants != SSL_ERROR_NONE && wants != SSL_ERROR_WANT_READ && wants != SSL_ERROR_WANT_WRITE) {
      absl::Status status = Failure();
      wire_.Flush();  // the alert, which tells the collector's log why
      return status;
    }
    const int flushed = wire_.Flush();
    if (flushed != 0 && flushed != EAGAIN) return ExplainWireError(circumstances_, flushed);
    if (wants == SSL_ERROR_NONE && flushed == 0) break;
    int events = wants == SSL_ERROR_WANT_READ ? Waiter::kReadable : 0;
    if (wants == SSL_ERROR_WANT_WRITE || flushed == EAGAIN) events |= Waiter::kWritable;
    if (absl::Status status = Wait(waiter, events, deadline); !status.ok()) return status;
  }
  absl::Status status = AwaitVerdict(waiter, deadline);
  circumstances_.in_session = status.ok();
  return status;
}

// In TLS 1.3 our handshake is done before the collector has seen our certificate (RFC 8446 2, figure 1).
// If it refuses that, it says so later, and what was sent meanwhile is lost although TCP has
// acknowledged it. Servers say something as soon as they accept, mostly a session ticket; those that do
// not cost a second.
absl::Status TlsSession::AwaitVerdict(Waiter& waiter, Clock::time_point deadline) {
  heard_ = false;
  if (SSL_version(ssl_.get()) != TLS1_3_VERSION || !circumstances_.asked_for_certificate) {
    return absl::OkStatus();
  }
  const auto limit = std::min(deadline, Clock::now() + kVerdictWait);
  while (true) {
    if (absl::Status status = Take(); !status.ok()) return status;
    const auto now = Clock::now();
    if (heard_ || now >= limit) return absl::OkStatus();
    if (waiter.Wait(wire_.fd(), Waiter::kReadable, limit) == 0 && Clock::now() < limit) {
      return HandshakeInterrupted(circumstances_);
    }
  }
}

absl::Status TlsSession::Wait(Waiter& waiter, int events, Clock::time_point deadline) {
  auto limit = deadline;
  timeval left{};
  const bool has_timer =
      SSL_is_dtls(ssl_.get()) && DTLSv1_get_timeout(ssl_.get(), &left) == 1;
  if (has_timer) {
    limit = std::min(limit, Clock::now() + std::chrono::seconds(left.tv_sec) +
                                std::chrono::microseconds(left.tv_usec));
  }
  if (waiter.Wait(wire_.fd(), events, limit) != 0) return absl::OkStatus();
  const auto now = Clock::now();
  if (now >= deadline) return HandshakeTimedOut(circumstances_);
  if (now < limit) return HandshakeInterrupted(circumstances_);
  // The datagrams may have been too long for the path, which the kernel now knows.
  SetMtu();
  ERR_clear_error();
  if (DTLSv1_handle_timeout(ssl_.get()) < 0) return Failure();
  return absl::OkStatus();
}

absl::Status TlsSession::Failure() {
  if (const int error = bio_.TakeError(); error != 0) {
    return ExplainWireError(circumstances_, error);
  }
  absl::Status status = ExplainTlsError(circumstances_, ERR_peek_error());
  ERR_clear_error();
  return status;
}

int TlsSession::Write(std::span<const uint8_t> octets) {
  ERR_clear_error();
  bio_.TakeError();
  const int result = SSL_write(ssl_.get(), octets.data(), static_cast<int>(octets.size()));
  if (result > 0) return 0;
  const int wants = SSL_get_error(ssl_.get(), result);
  ERR_clear_error();
  if (wants == SSL_ERROR_WANT_WRITE) return EAGAIN;
  const int error = bio_.TakeError();
  return error != 0 ? error : EPROTO;
}

absl::Status TlsSession::Take() {
  std::array<uint8_t, 16384> octets;  // the longest record
  for (int i = 0; i < 16; ++i) {
    ERR_clear_error();
    const int result = SSL_read(ssl_.get(), octets.data(), static_cast<int>(octets.size()));
    if (result > 0) {
      heard_ = true;
      continue;
    }
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE:
        return absl::OkStatus();
      case SSL_ERROR_ZERO_RETURN:
        return ExplainWireError(circumstances_, ESHUTDOWN);
      default:
        return Failure();
    }
  }
  return absl::OkStatus();
}

void TlsSession::End() {
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

size_t TlsSession::LargestMessage() {
  SetMtu();
  return std::min<size_t>(DTLS_get_data_mtu(ssl_.get()), SSL3_RT_MAX_PLAIN_LENGTH);
}

}  // namespace sockflow::transport

// SPDX-License-Identifier: MIT
#include "transport/tls_failure.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/escaping.h"
#include "fmt/format.h"
#include "transport/connection.h"

namespace sockflow::transport {
namespace {

using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
using StringPtr = std::unique_ptr<char, decltype([](char* text) { OPENSSL_free(text); })>;

constexpr size_t kMostNames = 5;

// "/O=Example/CN=Example CA", which escapes what cannot be printed.
std::string NameOf(const X509_NAME* name) {
  const StringPtr text(X509_NAME_oneline(name, nullptr, 0));
  return text ? text.get() : "?";
}

std::string Octets(const ASN1_STRING* string) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
                     static_cast<size_t>(ASN1_STRING_length(string)));
}

// What OpenSSL compares the expected name with (RFC 6125).
std::string NamesIn(X509* certificate) {
  std::vector<std::string> names;
  const NamesPtr all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type == GEN_DNS) names.push_back(absl::CHexEscape(Octets(name->d.dNSName)));
    if (name->type == GEN_IPADD) {
      const std::string octets = Octets(name->d.iPAddress);
      char text[INET6_ADDRSTRLEN];
      if (octets.size() == 4 && inet_ntop(AF_INET, octets.data(), text, sizeof(text))) {
        names.push_back(text);
      } else if (octets.size() == 16 && inet_ntop(AF_INET6, octets.data(), text, sizeof(text))) {
        names.push_back(text);
      }
    }
  }
  if (names.empty()) return NameOf(X509_get_subject_name(certificate));
  if (names.size() > kMostNames) {
    names.resize(kMostNames);
    names.push_back("...");
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

absl::Status Error(absl::StatusCode code, const TlsCircumstances& of, std::string_view why) {
  return absl::Status(
      code, of.in_session
                ? fmt::format("{}: the {} session broke: {}", of.place, of.protocol, why)
                : fmt::format("{}: the {} handshake failed: {}", of.place, of.protocol, why));
}

absl::Status Unavailable(const TlsCircumstances& of, std::string_view why) {
  return Error(absl::StatusCode::kUnavailable, of, why);
}

absl::Status Unauthenticated(const TlsCircumstances& of, std::string_view why) {
  return Error(absl::StatusCode::kUnauthenticated, of, why);
}

absl::Status ExplainRejected(const TlsCircumstances& of, const RejectedCertificate& rejected) {
  switch (rejected.error) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
      return Unauthenticated(
          of, fmt::format("the certificate {} is signed by an unknown CA, {}; set tls.ca to that CA's "
                          "certificate",
                          rejected.subject, rejected.issuer));
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Unauthenticated(of, fmt::format("the certificate {} expired on {}; renew it, or correct "
                                             "this host's clock",
                                             rejected.subject, rejected.not_after));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return Unauthenticated(
          of, fmt::format("the certificate {} is not valid before {}; wait, or correct this host's "
                          "clock",
                          rejected.subject, rejected.not_before));
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return Unauthenticated(
          of, fmt::format("the collector's certificate is for {}, not for {}; correct the URL, set "
                          "tls.server_name, or renew the certificate",
                          rejected.names, of.expected_name));
    default:
      return Unauthenticated(of, fmt::format("the certificate {} is not acceptable ({}); renew it",
                                             rejected.subject,
                                             X509_verify_cert_error_string(rejected.error)));
  }
}

// `alert` is what the collector sent (RFC 8446 6.2).
absl::Status ExplainAlert(const TlsCircumstances& of, int alert) {
  switch (alert) {
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_DECRYPT_ERROR:
    case SSL_AD_CERTIFICATE_REQUIRED:
      if (!of.asked_for_certificate) break;
      if (of.certificate.empty()) {
        return Unauthenticated(of, "the collector wants a certificate of ours; set tls.certificate and "
                                   "tls.key");
      }
      return Unauthenticated(
          of, fmt::format("the collector refused our certificate ({}); see that it is valid, and that "
                          "the collector knows its CA: tls.certificate {}",
                          SSL_alert_desc_string_long(alert), of.certificate));
    case SSL_AD_PROTOCOL_VERSION:
      return Unavailable(of, fmt::format("the collector speaks no {0} from version 1.2 on; enable {0} "
                                         "1.2 there",
                                         of.protocol));
    default:
      break;
  }
  return Unavailable(of, fmt::format("the collector sent the alert \"{}\"; its log may say why",
                                     SSL_alert_desc_string_long(alert)));
}

}  // namespace

RejectedCertificate RejectedCertificate::From(X509_STORE_CTX& store) {
  RejectedCertificate rejected{.error = X509_STORE_CTX_get_error(&store)};
  if (X509* certificate = X509_STORE_CTX_get_current_cert(&store); certificate != nullptr) {
    rejected.subject = NameOf(X509_get_subject_name(certificate));
    rejected.issuer = NameOf(X509_get_issuer_name(certificate));
    rejected.names = NamesIn(certificate);
    rejected.not_before = ToString(X509_get0_notBefore(certificate));
    rejected.not_after = ToString(X509_get0_notAfter(certificate));
  }
  return rejected;
}

absl::Status ExplainTlsError(const TlsCircumstances& of, unsigned long error) {
  const int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && of.rejected.has_value()) {
    return ExplainRejected(of, *of.rejected);
  }
  if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
    return ExplainAlert(of, reason - SSL_AD_REASON_OFFSET);
  }
  switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
      return ExplainAlert(of, SSL_AD_PROTOCOL_VERSION);
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_BAD_RECORD_TYPE:
      if (of.in_session) break;
      return Unavailable(of, fmt::format("the collector does not answer in {0}; enable {0} at that port, "
                                         "name its {0} port (4740), or use the scheme without it",
                                         of.protocol));
    default:
      break;
  }
  const char* text = error == 0 ? nullptr : ERR_reason_error_string(error);
  return Unavailable(of, fmt::format("{}; the collector's log may say why",
                                     text == nullptr ? "unknown error" : text));
}

absl::Status ExplainWireError(const TlsCircumstances& of, int error) {
  if (of.in_session && error == ECONNREFUSED) {  // DTLS: the host says so (ICMP)
    return absl::UnavailableError(fmt::format(
        "{}: the collector refused what was sent; start it, or correct its address", of.place));
  }
  if (of.in_session) return ConnectionError(of.place, error);
  switch (error) {
    case ESHUTDOWN:
    case ECONNRESET:
    case EPIPE:
      return Unavailable(of, fmt::format("the collector closed the connection; its log may say why, it "
                                         "may not expect {} at that port",
                                         of.protocol));
    case ECONNREFUSED:
      return Unavailable(of, "nothing listens there; start the collector or correct its address");
    default:
      return Unavailable(of, fmt::format("{}; check the network", std::strerror(error)));
  }
}

absl::Status HandshakeTimedOut(const TlsCircumstances& of) {
  return Error(absl::StatusCode::kDeadlineExceeded, of,
               fmt::format("the collector did not answer in time; see that it runs and expects {} at "
                           "that port, and that no firewall is in between",
                           of.protocol));
}

absl::Status HandshakeInterrupted(const TlsCircumstances& of) {
  return absl::CancelledError(
      fmt::format("{}: the {} handshake was interrupted", of.place, of.protocol));
}

}  // namespace sockflow::transport

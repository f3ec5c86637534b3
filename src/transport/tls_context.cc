// SPDX-License-Identifier: MIT
#include "transport/tls_context.h"

#include <openssl/pem.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "fmt/format.h"
#include "transport/openssl.h"

namespace sockflow::transport {
namespace {

using FilePtr = std::unique_ptr<FILE, FreeWith<fclose>>;

absl::Status Bad(std::string_view key, const std::string& file, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("tls.{}: {}: {}", key, file, what));
}

// All CAs of the world are a fraction of this. A device has no end at all.
constexpr size_t kLongestFile = 4 << 20;

// The whole file: an error of the system is not one of the format, and a file that is replaced
// meanwhile is either the old or the new one.
absl::StatusOr<std::string> ReadFile(std::string_view key, const std::string& file) {
  const FilePtr opened(std::fopen(file.c_str(), "re"));
  std::string text;
  if (opened) {
    char part[4096];
    size_t taken;
    while (text.size() < kLongestFile &&
           (taken = std::fread(part, 1, sizeof(part), opened.get())) > 0) {
      text.append(part, taken);
    }
    if (text.size() >= kLongestFile) {
      return Bad(key, file, "it is longer than 4 MiB; name a PEM file");
    }
    if (std::ferror(opened.get()) == 0) return text;
  }
  const int error = errno;
  return Bad(key, file,
             fmt::format("{}; {}", std::strerror(error),
                         error == EACCES ? "let the user that runs sockflow read it"
                                         : "name a PEM file"));
}

BioPtr ReadOnly(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL looks CAs up in a directory by the hash of their name: "5ed36f99.0".
bool HasHashedNames(const std::string& directory) {
  std::error_code error;
  for (std::filesystem::directory_iterator i(directory, error), end; !error && i != end;
       i.increment(error)) {
    const std::string name = i->path().filename().string();
    if (name.size() > 9 && name[8] == '.' &&
        std::all_of(name.begin(), name.begin() + 8,
                    [](unsigned char c) { return absl::ascii_isxdigit(c); })) {
      return true;
    }
  }
  return false;
}

// Where distributions keep all CAs, besides the place that OpenSSL was built for: a static build's
// is Debian's, and it runs elsewhere too.
constexpr const char* kSystemCas[] = {
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Fedora, RHEL
    "/etc/ssl/certs/ca-certificates.crt",                 // Alpine, Arch
    "/etc/ssl/ca-bundle.pem",                             // openSUSE
};

void LoadSystemCas(SSL_CTX* context) {
  SSL_CTX_set_default_verify_paths(context);
  std::error_code ignored;
  if (std::getenv(X509_get_default_cert_file_env()) ||
      std::getenv(X509_get_default_cert_dir_env()) ||
      std::filesystem::exists(X509_get_default_cert_file(), ignored) ||
      std::filesystem::exists(X509_get_default_cert_dir(), ignored)) {
    return;
  }
  for (const char* file : kSystemCas) {
    if (SSL_CTX_load_verify_file(context, file) == 1) return;
  }
}

// Asked for the passphrase of a key: there is nobody who could type one.
int NoPassphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

absl::StatusOr<TlsContext> TlsContext::Load(TlsOptions options, Kind kind) {
  TlsContext context(std::move(options), kind);
  if (absl::Status status = context.Reload(); !status.ok()) return status;
  return context;
}

absl::Status TlsContext::Reload() {
  ERR_clear_error();
  std::unique_ptr<SSL_CTX, Free> made(
      SSL_CTX_new(kind_ == kStream ? TLS_client_method() : DTLS_client_method()));
  if (!made) {
    return absl::ResourceExhaustedError(
        fmt::format("OpenSSL cannot start: {}; check its installation", TakeOpensslError()));
  }
  SSL_CTX* context = made.get();
  SSL_CTX_set_min_proto_version(context, kind_ == kStream ? TLS1_2_VERSION : DTLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_NO_QUERY_MTU);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  std::string warning;
  absl::Status status = LoadCas(context);
  if (status.ok()) status = LoadCertificate(context, warning);
  ERR_clear_error();
  if (!status.ok()) return status;
  context_ = std::move(made);
  warning_ = std::move(warning);
  return absl::OkStatus();
}

absl::Status TlsContext::LoadCas(SSL_CTX* context) const {
  const std::string& ca = options_.ca;
  if (ca.empty()) {
    LoadSystemCas(context);
    return absl::OkStatus();
  }
  std::error_code ignored;
  if (std::filesystem::is_directory(ca, ignored)) {
    if (!HasHashedNames(ca) || SSL_CTX_load_verify_dir(context, ca.c_str()) != 1) {
      return Bad("ca", ca,
                 "the directory has no CA certificate that can be read by its hash; run \"openssl "
                 "rehash\" on it");
    }
    return absl::OkStatus();
  }
  const absl::StatusOr<std::string> text = ReadFile("ca", ca);
  if (!text.ok()) return text.status();
  const BioPtr in = ReadOnly(*text);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  int count = 0;
  while (const X509Ptr certificate{PEM_read_bio_X509_AUX(in.get(), nullptr, nullptr, nullptr)}) {
    X509_STORE_add_cert(store, certificate.get());
    ++count;
  }
  if (count == 0) {
    return Bad("ca", ca, "it has no certificate in PEM form; name the file of the collector's CA");
  }
  // The end of the file is an error too.
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    return Bad("ca", ca,
               fmt::format("its certificate number {} is damaged ({}); replace it", count + 1,
                           TakeOpensslError()));
  }
  return absl::OkStatus();
}

absl::Status TlsContext::LoadCertificate(SSL_CTX* context, std::string& warning) const {
  const std::string& file = options_.certificate;
  if (file.empty() && options_.key.empty()) return absl::OkStatus();
  if (file.empty() || options_.key.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("tls.{} is missing beside tls.{}; set both, or none",
                    file.empty() ? "certificate" : "key", file.empty() ? "key" : "certificate"));
  }
  const absl::StatusOr<std::string> text = ReadFile("certificate", file);
  if (!text.ok()) return text.status();
  const absl::StatusOr<std::string> key_text = ReadFile("key", options_.key);
  if (!key_text.ok()) return key_text.status();

  const BioPtr in = ReadOnly(*text);
  const X509Ptr own(PEM_read_bio_X509_AUX(in.get(), nullptr, nullptr, nullptr));
  if (!own) {
    return Bad("certificate", file,
               "it has no certificate in PEM form; convert one in DER form with \"openssl x509 "
               "-inform der\"");
  }
  if (SSL_CTX_use_certificate(context, own.get()) != 1) {
    return Bad("certificate", file,
               fmt::format("it cannot be used ({}); make a new one", TakeOpensslError()));
  }
  while (const X509Ptr issuer{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)}) {
    SSL_CTX_add1_chain_cert(context, issuer.get());
  }
  if (X509_cmp_current_time(X509_get0_notAfter(own.get())) < 0) {
    warning = fmt::format("tls.certificate: {}: it expired on {}, and collectors will refuse it; "
                          "renew it",
                          file, ToString(X509_get0_notAfter(own.get())));
  } else if (X509_cmp_current_time(X509_get0_notBefore(own.get())) > 0) {
    warning = fmt::format("tls.certificate: {}: it is not valid before {}, and collectors will refuse "
                          "it until then; check this host's clock",
                          file, ToString(X509_get0_notBefore(own.get())));
  }

  ERR_clear_error();
  bool encrypted = false;
  const BioPtr key_in = ReadOnly(*key_text);
  const KeyPtr key(PEM_read_bio_PrivateKey(key_in.get(), nullptr, NoPassphrase, &encrypted));
  if (encrypted) {
    return Bad("key", options_.key,
               "it is encrypted, and an agent cannot ask for the passphrase; decrypt it with "
               "\"openssl pkey\" and let nobody else read it");
  }
  if (!key) return Bad("key", options_.key, "it has no private key in PEM form; name one that has");
  if (X509_check_private_key(own.get(), key.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return Bad("key", options_.key,
               fmt::format("it is not the key of the certificate in {}; name the key that this was "
                           "made for",
                           file));
  }
  return absl::OkStatus();
}

}  // namespace sockflow::transport

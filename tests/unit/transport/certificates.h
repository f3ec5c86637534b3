// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "transport/openssl.h"

// Certificates for tests, made when they run.
namespace sockflow::transport {

struct Identity {
  KeyPtr key;
  X509Ptr certificate;
};

struct CertificateFacts {
  std::string common_name;
  std::string names;  // "DNS:sink.example,IP:127.0.0.1"; empty: it shows none
  long valid_from = -3600;  // seconds from now
  long valid_to = 3600;
  bool is_ca = false;
};

inline void AddExtension(X509* certificate, int id, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Signed by `issuer`; null: by itself.
inline Identity MakeIdentity(const CertificateFacts& facts, const Identity* issuer) {
  Identity made{KeyPtr(EVP_EC_gen("P-256")), X509Ptr(X509_new())};
  X509* certificate = made.certificate.get();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), std::rand());
  X509_gmtime_adj(X509_getm_notBefore(certificate), facts.valid_from);
  X509_gmtime_adj(X509_getm_notAfter(certificate), facts.valid_to);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(facts.common_name.c_str()), -1,
                             -1, 0);
  X509_set_issuer_name(certificate,
                       issuer ? X509_get_subject_name(issuer->certificate.get()) : name);
  AddExtension(certificate, NID_basic_constraints, facts.is_ca ? "critical,CA:TRUE" : "CA:FALSE");
  if (!facts.names.empty()) AddExtension(certificate, NID_subject_alt_name, facts.names);
  EXPECT_GT(X509_sign(certificate, issuer ? issuer->key.get() : made.key.get(), EVP_sha256()), 0);
  return made;
}

inline std::string TextOf(const BioPtr& out) {
  char* text = nullptr;
  const long octets = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<size_t>(octets));
}

inline std::string CertificatePem(const Identity& identity) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(out.get(), identity.certificate.get());
  return TextOf(out);
}

// With a passphrase: encrypted.
inline std::string KeyPem(const Identity& identity, const std::string& passphrase = "") {
  const BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(out.get(), identity.key.get(),
                                passphrase.empty() ? nullptr : EVP_aes_128_cbc(),
                                passphrase.empty() ? nullptr : passphrase.c_str(),
                                static_cast<int>(passphrase.size()), nullptr, nullptr);
  return TextOf(out);
}

}  // namespace sockflow::transport

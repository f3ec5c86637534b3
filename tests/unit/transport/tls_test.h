// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/temporary_directory.h"
#include "tests/unit/transport/certificates.h"
#include "tests/unit/transport/collector_end.h"
#include "tests/unit/transport/tls_collector.h"
#include "transport/lookup.h"
#include "transport/secure_transport.h"

namespace sockflow::transport {

inline std::atomic<int> tls_pipe_signals = 0;

// A CA, a collector sink.example (127.0.0.1) and an exporter that it certified, and a stranger.
class TlsFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    tls_pipe_signals = 0;
    previous_ = signal(SIGPIPE, [](int) { ++tls_pipe_signals; });
  }
  void TearDown() override {
    signal(SIGPIPE, previous_);
    EXPECT_EQ(tls_pipe_signals, 0);
    EXPECT_EQ(ERR_peek_error(), 0u) << "an error was left behind for the next session";
  }

  static Identity Certify(const Identity* issuer, std::string name, std::string names,
                          long valid_from = -3600, long valid_to = 3600) {
    return MakeIdentity({.common_name = std::move(name),
                         .names = std::move(names),
                         .valid_from = valid_from,
                         .valid_to = valid_to},
                        issuer);
  }

  // Ours to the collector: what is known of the CA, and our certificate.
  TlsOptions Mutual() const { return {.ca = ca_file_, .certificate = own_file_, .key = key_file_}; }
  TlsOptions Anonymous() const { return {.ca = ca_file_}; }

  // A name that the resolver finds at the port of `end`.
  static Lookup::Resolver ToLoopback(uint16_t port) {
    return [port](const Url&) { return Resolve({"tcp", "127.0.0.1", port}, Purpose::kSend); };
  }

  TemporaryDirectory files_;
  Identity ca_ = MakeIdentity({.common_name = "Test CA", .is_ca = true}, nullptr);
  Identity stranger_ca_ = MakeIdentity({.common_name = "Strange CA", .is_ca = true}, nullptr);
  Identity sink_ = Certify(&ca_, "sink", "DNS:sink.example,DNS:*.wild.example,IP:127.0.0.1");
  Identity own_ = Certify(&ca_, "exporter", "DNS:exporter.example");
  std::string ca_file_ = files_.Write("ca.pem", CertificatePem(ca_));
  std::string own_file_ = files_.Write("own.pem", CertificatePem(own_));
  std::string key_file_ = files_.Write("own.key", KeyPem(own_));
  std::unique_ptr<Waiter> waiter_ = MakeWaiter();

 private:
  sighandler_t previous_ = nullptr;
};

}  // namespace sockflow::transport

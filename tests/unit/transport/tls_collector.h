// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>
#include <signal.h>

#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "tests/unit/transport/certificates.h"
#include "tests/unit/transport/collector_end.h"
#include "transport/openssl.h"

// The far end of TLS and DTLS sessions.
namespace sockflow::transport {

struct ServerFacts {
  const Identity* identity = nullptr;
  const Identity* client_ca = nullptr;  // whose certificates a client must have; null: need not
  int min_version = 0;
  int max_version = 0;
};

using ContextPtr = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using SessionPtr = std::unique_ptr<SSL, FreeWith<SSL_free>>;

inline ContextPtr MakeServerContext(const SSL_METHOD* method, const ServerFacts& facts) {
  ContextPtr context(SSL_CTX_new(method));
  // Versions before 1.2 need signatures that level 1 forbids.
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_min_proto_version(context.get(), facts.min_version);
  SSL_CTX_set_max_proto_version(context.get(), facts.max_version);
  EXPECT_EQ(SSL_CTX_use_certificate(context.get(), facts.identity->certificate.get()), 1);
  EXPECT_EQ(SSL_CTX_use_PrivateKey(context.get(), facts.identity->key.get()), 1);
  if (facts.client_ca != nullptr) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), facts.client_ca->certificate.get());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return context;
}

// All that the client sends until it ends its side.
inline std::string ReadAll(SSL* ssl) {
  std::string text;
  char part[16384];
  for (int taken; (taken = SSL_read(ssl, part, sizeof(part))) > 0;) {
    text.append(part, static_cast<size_t>(taken));
  }
  return text;
}

// Takes one connection in a thread of its own, and has `serve` called if the handshake succeeds.
class TlsCollector {
 public:
  using Serve = std::function<void(SSL*)>;

  TlsCollector(CollectorEnd& end, ServerFacts facts, Serve serve = {})
      : thread_([&end, facts, serve, this] {
          // OpenSSL's own socket code writes with write(2).
          sigset_t pipe;
          sigemptyset(&pipe);
          sigaddset(&pipe, SIGPIPE);
          pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
          const ContextPtr context = MakeServerContext(TLS_server_method(), facts);
          const Socket socket = end.Accept();
          const SessionPtr ssl(SSL_new(context.get()));
          SSL_set_fd(ssl.get(), socket.fd());
          ERR_clear_error();
          accepted_ = SSL_accept(ssl.get()) == 1;
          error_ = accepted_ ? "" : TakeOpensslError();
          if (accepted_) {
            const char* name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name);
            server_name_ = name == nullptr ? "" : name;
            if (serve) serve(ssl.get());
          } else {
            Read(socket, 1 << 20);  // so that what it said is not lost by a reset
          }
        }) {}
  ~TlsCollector() { Join(); }

  // After the client has gone. What follows is known from then on.
  void Join() {
    if (thread_.joinable()) thread_.join();
  }
  bool accepted() const { return accepted_; }
  const std::string& error() const { return error_; }
  const std::string& server_name() const { return server_name_; }

 private:
  bool accepted_ = false;
  std::string error_;
  std::string server_name_;
  std::thread thread_;
};

}  // namespace sockflow::transport

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "transport/openssl.h"

namespace sockflow::transport {

// How records reach the collector and come from it. Never waits. Functions return an errno value; 0:
// done.
class TlsWire {
 public:
  virtual ~TlsWire() = default;

  virtual int fd() const = 0;
  // EAGAIN: nothing is there; ESHUTDOWN: the collector has closed its end.
  virtual int Receive(std::span<uint8_t> octets, size_t& taken) = 0;
  virtual int Transmit(std::span<const uint8_t> octets) = 0;
  // Writes what Transmit only kept; EAGAIN: not all.
  virtual int Flush() { return 0; }
  // DTLS: what the path takes; 0: not known.
  virtual size_t LargestDatagram() { return 0; }
};

// Makes OpenSSL use a wire. Not its own socket code, which writes with write(2): SIGPIPE would end the
// agent.
class TlsBio {
 public:
  explicit TlsBio(TlsWire& wire) : wire_(wire) {}
  TlsBio(const TlsBio&) = delete;
  TlsBio& operator=(const TlsBio&) = delete;

  // Null: no memory. To be freed before this.
  BIO* Make();

  // The last errno value of the wire, EAGAIN excepted; 0: none since the last time.
  int TakeError() { return std::exchange(error_, 0); }

 private:
  static int Write(BIO* bio, const char* octets, int count);
  static int Read(BIO* bio, char* octets, int count);
  static long Control(BIO* bio, int command, long, void*);

  TlsWire& wire_;
  int error_ = 0;
  std::unique_ptr<BIO_METHOD, FreeWith<BIO_meth_free>> method_;
};

}  // namespace sockflow::transport

// SPDX-License-Identifier: MIT
#include "transport/tls_bio.h"

#include <cerrno>

namespace sockflow::transport {

BIO* TlsBio::Make() {
  method_.reset(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sockflow"));
  if (!method_) return nullptr;
  BIO_meth_set_write(method_.get(), Write);
  BIO_meth_set_read(method_.get(), Read);
  BIO_meth_set_ctrl(method_.get(), Control);
  BIO* bio = BIO_new(method_.get());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  return bio;
}

int TlsBio::Write(BIO* bio, const char* octets, int count) {
  auto& self = *static_cast<TlsBio*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const int error = self.wire_.Transmit(
      {reinterpret_cast<const uint8_t*>(octets), static_cast<size_t>(count)});
  if (error == 0) return count;
  if (error == EAGAIN) {
    BIO_set_retry_write(bio);
  } else {
    self.error_ = error;
  }
  return -1;
}

int TlsBio::Read(BIO* bio, char* octets, int count) {
  auto& self = *static_cast<TlsBio*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  size_t taken = 0;
  const int error =
      self.wire_.Receive({reinterpret_cast<uint8_t*>(octets), static_cast<size_t>(count)}, taken);
  if (error == 0) return static_cast<int>(taken);
  if (error == EAGAIN) {
    BIO_set_retry_read(bio);
  } else {
    self.error_ = error;
  }
  return -1;
}

long TlsBio::Control(BIO*, int command, long, void*) {
  // The rest, DTLS's questions for timers and MTU among it, has other ways.
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

}  // namespace sockflow::transport

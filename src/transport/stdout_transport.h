// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "sockflow/transport.h"

namespace sockflow::transport {

// Writes raw messages to standard output, one after another, for a pipe: what comes out is an IPFIX
// file (RFC 5655 7). Waits while the reader is slow. The descriptor is shared with whoever else has
// it (the shell), so its flags are left as they are, and it is not closed.
//
// What is in the pipe when the reader goes is lost, and nobody can know how much that is. The
// process must ignore SIGPIPE, and SIGXFSZ where standard output is a file.
class StdoutTransport : public Transport {
 public:
  explicit StdoutTransport(int fd = STDOUT_FILENO) : fd_(fd) {}

  // Refuses a terminal (the octets are not text), a closed descriptor, and a pipe without a reader.
  absl::Status Open(Waiter& waiter, Clock::time_point deadline) override;
  // kBusy with a status: there is no room on the disk that the output goes to. The session goes on
  // when there is, since a message that was begun must be completed before anything else.
  Result Send(Messages messages, Waiter& waiter, Clock::time_point deadline) override;
  size_t unconfirmed() override { return rest_.empty() ? 0 : 1; }
  Result Check() override;
  int fd() const override { return is_open_ && is_pipe_ ? fd_ : -1; }
  absl::Status Close(Waiter& waiter, Clock::time_point deadline) override;
  bool forgets_templates() const override { return false; }
  const std::string& name() const override { return name_; }

 private:
  // Writes once, without waiting: what is left of rest_, then of messages. Returns an errno value;
  // 0: it wrote something and `accepted` counts the messages that were begun.
  int Write(Messages messages, size_t& accepted);
  Result End(size_t accepted, int error);
  bool HasReader() const;

  int fd_;
  std::string name_ = "stdout:";
  bool is_open_ = false;
  bool is_pipe_ = false;  // its writing end, where poll says when the reader has gone
  bool is_file_ = false;
  std::vector<uint8_t> rest_;  // of a message that was begun
};

}  // namespace sockflow::transport

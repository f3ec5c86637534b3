// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <utility>

#include "transport/connection.h"

namespace sockflow::transport {

class TcpConnection final : public Connection {
 public:
  // As MakeConnection.
  static std::unique_ptr<Connection> Make(const SocketAddress& address, int& error);

  using Connection::Connection;

  int Discard() override;
  void Finish() override;

 private:
  int WriteSome(std::span<const std::span<const uint8_t>> parts, size_t& written) override;
  uint64_t UnacknowledgedOctets() override;

  bool finished_ = false;
};

}  // namespace sockflow::transport

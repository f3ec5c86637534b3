// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sockflow/time.h"
#include "tests/kernel/actors.h"

namespace sockflow::testing {

// What is true of one connection: who made it.
struct Truth {
  pid_t pid = 0;
  uint16_t port = 0;  // the client's; 0: it was not made
  Time begun{};       // before it was
};

// A server that accepts in one process, reads to the end and closes.
class Server {
 public:
  explicit Server(const std::string& name);
  uint16_t port() const { return port_; }
  pid_t pid() const { return actor_->pid(); }

 private:
  uint16_t port_ = 0;
  std::unique_ptr<Actor> actor_;
};

// Connections that live for a moment, made by a process of its own while the caller observes.
class ConnectionLoad {
 public:
  struct Options {
    uint16_t server_port = 0;
    int connections = 0;
    // Each is made by a process of its own, with a name of its own; if not, one process makes all.
    bool fresh_processes = true;
    Duration lifetime = std::chrono::milliseconds(1);
    Duration pause = std::chrono::milliseconds(1);  // between two
  };

  explicit ConnectionLoad(const Options& options);
  ~ConnectionLoad();

  bool Running();
  // Of all, when it is done.
  std::vector<Truth> truth() const;
  // The name of the process of a connection.
  static std::string NameOf(const Options& options, int connection);

 private:
  Options options_;
  Truth* shared_;
  pid_t pid_;
  bool running_ = true;
};

// Processes that do nothing but hold descriptors.
class Bystanders {
 public:
  Bystanders(int processes, int descriptors);
  ~Bystanders();

 private:
  pid_t parent_;
};

}  // namespace sockflow::testing

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "enrich/process/user_lookup.h"

namespace sockflow {

// Asks for names of users, one after another, in a thread of its own, which starts with the first question.
// Who asks never waits: not for an answer, and not for the thread at the end, should it be stuck in a
// question that a directory server does not answer.
class UserResolver {
 public:
  struct Answer {
    uint32_t uid;
    absl::StatusOr<std::string> name;
  };

  // `lookup` may outlive the resolver, in its thread. At most `capacity` questions wait.
  explicit UserResolver(UserLookup lookup, size_t capacity = 256);
  ~UserResolver();
  UserResolver(const UserResolver&) = delete;
  UserResolver& operator=(const UserResolver&) = delete;

  // False: refused, as too many wait already or the system gives no thread.
  bool Ask(uint32_t uid);
  // Those that have come since the last call.
  std::vector<Answer> TakeAnswers();

 private:
  struct Shared;

  static void Run(std::shared_ptr<Shared> shared);

  const size_t capacity_;
  const std::shared_ptr<Shared> shared_;
  std::jthread thread_;
};

}  // namespace sockflow

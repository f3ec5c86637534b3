// SPDX-License-Identifier: MIT
#include "enrich/process/user_resolver.h"

#include <signal.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <utility>

namespace sockflow {

// Belongs to whichever of the two, resolver and thread, is there last.
struct UserResolver::Shared {
  explicit Shared(UserLookup the_lookup) : lookup(std::move(the_lookup)) {}

  const UserLookup lookup;
  std::atomic<bool> has_answers = false;  // spares the pipeline the lock
  std::mutex mutex;                       // of what follows; never held while a question is asked
  std::condition_variable news;
  std::deque<uint32_t> questions;
  std::vector<Answer> answers;
  bool asking = false;
  bool stopping = false;
};

UserResolver::UserResolver(UserLookup lookup, size_t capacity)
    : capacity_(capacity), shared_(std::make_shared<Shared>(std::move(lookup))) {}

UserResolver::~UserResolver() {
  if (!thread_.joinable()) return;
  bool asking;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
    asking = shared_->asking;
  }
  shared_->news.notify_one();
  // It ends when it is answered, or with the process.
  if (asking) thread_.detach();
}

bool UserResolver::Ask(uint32_t uid) {
  {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->questions.size() >= capacity_) return false;
    shared_->questions.push_back(uid);
  }
  shared_->news.notify_one();
  if (thread_.joinable()) return true;
  try {
    thread_ = std::jthread(Run, shared_);
  } catch (const std::system_error&) {
    const std::lock_guard lock(shared_->mutex);
    shared_->questions.clear();
    return false;
  }
  return true;
}

std::vector<UserResolver::Answer> UserResolver::TakeAnswers() {
  if (!shared_->has_answers.load(std::memory_order_relaxed)) return {};
  const std::lock_guard lock(shared_->mutex);
  shared_->has_answers.store(false, std::memory_order_relaxed);
  return std::exchange(shared_->answers, {});
}

void UserResolver::Run(std::shared_ptr<Shared> shared) {
  // Signals are for the threads that wait for them.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::unique_lock lock(shared->mutex);
  for (;;) {
    shared->news.wait(lock, [&shared] { return shared->stopping || !shared->questions.empty(); });
    if (shared->stopping) return;
    const uint32_t uid = shared->questions.front();
    shared->questions.pop_front();
    shared->asking = true;
    lock.unlock();
    Answer answer = {uid, shared->lookup(uid)};
    lock.lock();
    shared->asking = false;
    shared->answers.push_back(std::move(answer));
    shared->has_answers.store(true, std::memory_order_relaxed);
  }
}

}  // namespace sockflow

// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "enrich/kubernetes/api_client.h"
#include "enrich/kubernetes/pod_directory.h"
#include "enrich/kubernetes/pod_parser.h"
#include "sockflow/loss_counter.h"

namespace sockflow::kubernetes {

// Keeps a directory of the pods of one node true, in a thread of its own: whoever asks for it never waits
// for the network, and gets what was known last while there is trouble.
class PodWatch {
 public:
  using Clock = ApiClient::Clock;

  struct Options {
    enum class Source : uint8_t {
      kApi,      // the API server: a list, then a watch from its version on
      kKubelet,  // the kubelet's list, again and again
    };
    Source source = Source::kApi;
    std::string node_name;   // kApi: whose pods
    std::string token_file;  // read for each request, since tokens are exchanged while we run; empty: none
    std::vector<std::string> labels;
    size_t max_pods = 100'000;
    // Pods in one answer. An API server that answers from its cache tells all at once anyway.
    uint32_t chunk = 500;
    // How long a watch goes on before the server ends it, less up to a fifth at random.
    std::chrono::seconds watch_time{300};
    // kKubelet: from one list to the next, unless somebody asks for a pod that is not in it.
    std::chrono::milliseconds poll_interval{10'000};
    std::chrono::milliseconds shortest_poll_interval{500};
    // For a whole list.
    std::chrono::milliseconds list_timeout{120'000};
    // Between attempts that fail: doubled each time, each one half to one and a half times as long.
    std::chrono::milliseconds first_backoff{500};
    std::chrono::milliseconds longest_backoff{30'000};
    // From 0 to less than 1.
    std::function<double()> random;
  };

  PodWatch(Options options, std::unique_ptr<ApiClient> client);
  // Ends at once, whatever goes on.
  ~PodWatch();

  void Start();
  // What Start() runs in its thread: until the client is stopped.
  void Run();

  // Never null.
  std::shared_ptr<const PodDirectory> directory() const;
  // Grows with each new directory.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  // A pod is not in the directory: it would be good to look soon.
  void Ask();

  // "api_errors", "watch_restarts", "malformed_pods", "pods_left_out".
  std::vector<LossCounter> losses() const;

 private:
  class ListBody;
  class WatchBody;

  // All that follows runs in the thread.
  enum class Next : uint8_t {
    kStop,
    kList,       // from the cache of the server, which may be behind by a moment
    kFreshList,  // from its storage
    kWatch,
  };
  Next List(bool fresh);
  Next Watch();
  Next Poll();
  // Asks with the token as it is now.
  ApiClient::Answer Get(const std::string& path, std::chrono::milliseconds timeout, ApiClient::Body& body);
  // The answer is none: counts, tells, waits, and says what is next.
  Next Trouble(const ApiClient::Answer& answer, Next next);
  Next Trouble(const std::string& what, std::chrono::seconds retry_after, Next next);
  // Waits, longer each time.
  Next Backoff(std::chrono::seconds retry_after, Next next);
  // False: the client was stopped.
  bool Sleep(Clock::time_point deadline);
  void Recovered();
  void Publish();

  Options options_;
  std::unique_ptr<ApiClient> client_;
  PodTable table_;
  std::string resource_version_;
  std::string sent_token_;
  std::chrono::milliseconds backoff_;
  std::string complaint_;
  Clock::time_point next_complaint_ = Clock::time_point::min();
  bool in_trouble_ = true;  // until the first success
  bool was_forgotten_ = false;  // 410, and no watch that worked since then

  // Made by the thread, for others.
  mutable std::mutex mutex_;
  std::shared_ptr<const PodDirectory> directory_;
  std::atomic<uint64_t> version_ = 0;
  std::atomic<bool> asked_ = false;
  std::atomic<uint64_t> api_errors_ = 0;
  std::atomic<uint64_t> watch_restarts_ = 0;
  std::atomic<uint64_t> malformed_pods_ = 0;
  std::atomic<uint64_t> pods_left_out_ = 0;

  std::jthread thread_;
};

}  // namespace sockflow::kubernetes

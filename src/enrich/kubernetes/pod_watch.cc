// SPDX-License-Identifier: MIT
#include "enrich/kubernetes/pod_watch.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "enrich/kubernetes/json_splitter.h"
#include "enrich/kubernetes/token_file.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace sockflow::kubernetes {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kNever = ApiClient::Clock::time_point::max();
constexpr seconds kComplaintInterval{60};
constexpr seconds kLongestRetryAfter{60};
// A watch that ends sooner, and has told nothing, is none.
constexpr seconds kShortestWatch{1};
// How long after its time a watch may end.
constexpr seconds kWatchGrace{30};
// A directory that takes long to make is made seldom: a tenth of the thread's time at most.
constexpr int kPublishShare = 10;
// Of one list: more only if the server goes on and on without telling anything.
constexpr int kMostChunks = 10'000;
constexpr int kOk = 200, kUnauthorized = 401, kForbidden = 403, kGone = 410;

// For a query (RFC 3986 2.3: what needs no escape).
std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    escaped += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return escaped;
}

bool IsWhole(const ApiClient::Answer& answer) {
  return answer.status.ok() && answer.http_status == kOk;
}

bool IsGone(const ApiClient::Answer& answer) {
  return answer.status.ok() && answer.http_status == kGone;
}

}  // namespace

// Pods of one list, which may come in several answers; nothing is believed before the last one.
class PodWatch::ListBody final : public ApiClient::Body {
 public:
  ListBody(PodWatch& watch, std::vector<Pod>& pods) : watch_(watch), pods_(pods) {}

  absl::Status OnOctets(std::string_view octets) override {
    absl::Status status = splitter_.Push(octets, [this](std::string_view json) {
      if (pods_.size() >= watch_.options_.max_pods) {
        ++watch_.pods_left_out_;
      } else if (std::optional<Pod> pod = ParsePod(json, watch_.options_.labels)) {
        pods_.push_back(*std::move(pod));
      } else {
        ++watch_.malformed_pods_;
      }
    });
    watch_.malformed_pods_ += splitter_.TakeLeftOut();
    return status;
  }
  Clock::time_point OnPause(Clock::time_point) override { return kNever; }

  std::optional<ListHead> head() const {
    return splitter_.complete() ? ParseListHead(splitter_.envelope()) : std::nullopt;
  }

 private:
  PodWatch& watch_;
  std::vector<Pod>& pods_;
  JsonSplitter splitter_{JsonSplitter::Cut::kItems};
};

// The events of one watch.
class PodWatch::WatchBody final : public ApiClient::Body {
 public:
  explicit WatchBody(PodWatch& watch) : watch_(watch) {}

  absl::Status OnOctets(std::string_view octets) override {
    absl::Status status =
        splitter_.Push(octets, [this](std::string_view json) { OnEvent(json); });
    watch_.malformed_pods_ += splitter_.TakeLeftOut();
    if (status.ok() && error_) return absl::AbortedError(error_->error);
    return status;
  }
  Clock::time_point OnPause(Clock::time_point now) override {
    if (!has_news_) return kNever;
    if (now < next_publish_) return next_publish_;
    Publish();
    return kNever;
  }
  // Whatever has not been told yet.
  void Finish() {
    if (has_news_) Publish();
  }

  // Events and bookmarks that could be read.
  uint64_t events() const { return events_; }
  bool complete() const { return splitter_.complete(); }
  const std::optional<WatchEvent>& error() const { return error_; }

 private:
  void OnEvent(std::string_view json) {
    if (error_) return;  // the last event
    std::optional<WatchEvent> event = ParseWatchEvent(json, watch_.options_.labels);
    if (!event) {
      ++watch_.malformed_pods_;
      return;
    }
    if (event->kind == WatchEvent::Kind::kError) {
      error_ = std::move(event);
      return;
    }
    if (events_++ == 0) watch_.Recovered();
    if (!event->resource_version.empty()) watch_.resource_version_ = event->resource_version;
    if (event->kind == WatchEvent::Kind::kBookmark) return;
    const auto now = watch_.client_->Now();
    if (event->kind == WatchEvent::Kind::kPut) {
      watch_.table_.Put(*std::move(event->pod), now);
    } else {
      watch_.table_.Delete(*std::move(event->pod), now);
    }
    has_news_ = true;
  }
  void Publish() {
    has_news_ = false;
    const auto begin = watch_.client_->Now();
    watch_.Publish();
    const auto end = watch_.client_->Now();
    next_publish_ = end + (end - begin) * kPublishShare;
  }

  PodWatch& watch_;
  JsonSplitter splitter_{JsonSplitter::Cut::kObjects};
  bool has_news_ = false;
  uint64_t events_ = 0;
  std::optional<WatchEvent> error_;
  Clock::time_point next_publish_ = Clock::time_point::min();
};

PodWatch::PodWatch(Options options, std::unique_ptr<ApiClient> client)
    : options_(std::move(options)),
      client_(std::move(client)),
      table_({.max_pods = options_.max_pods}),
      backoff_(options_.first_backoff),
      directory_(std::make_shared<PodDirectory>()) {}

PodWatch::~PodWatch() { client_->Stop(); }

void PodWatch::Start() {
  thread_ = std::jthread([this] { Run(); });
}

void PodWatch::Run() {
  Next next = Next::kList;
  while (next != Next::kStop) {
    if (options_.source == Options::Source::kKubelet) {
      next = Poll();
    } else {
      next = next == Next::kWatch ? Watch() : List(next == Next::kFreshList);
    }
  }
}

std::shared_ptr<const PodDirectory> PodWatch::directory() const {
  const std::lock_guard lock(mutex_);
  return directory_;
}

void PodWatch::Ask() {
  if (options_.source != Options::Source::kKubelet || asked_.exchange(true)) return;
  client_->Hurry();
}

std::vector<LossCounter> PodWatch::losses() const {
  return {{"api_errors", api_errors_.load()},
          {"watch_restarts", watch_restarts_.load()},
          {"malformed_pods", malformed_pods_.load()},
          {"pods_left_out", pods_left_out_.load()}};
}

ApiClient::Answer PodWatch::Get(const std::string& path, milliseconds timeout, ApiClient::Body& body) {
  sent_token_.clear();
  if (!options_.token_file.empty()) {
    absl::StatusOr<std::string> token = ReadToken(options_.token_file);
    if (!token.ok()) return {.status = token.status()};
    sent_token_ = *std::move(token);
  }
  return client_->Get({.path = path, .token = sent_token_, .timeout = timeout}, body);
}

PodWatch::Next PodWatch::List(bool fresh) {
  const Next again = fresh ? Next::kFreshList : Next::kList;
  const std::string base =
      fmt::format("/api/v1/pods?fieldSelector=spec.nodeName%3D{}&limit={}", Escape(options_.node_name),
                  options_.chunk);
  std::vector<Pod> pods;
  std::optional<ListHead> head;
  for (int chunk = 0; chunk < kMostChunks; ++chunk) {
    std::string path = base;
    // The two together are refused.
    if (head) {
      path += "&continue=" + Escape(head->continue_token);
    } else if (!fresh) {
      path += "&resourceVersion=0";
    }
    ListBody body(*this, pods);
    const ApiClient::Answer answer = Get(path, options_.list_timeout, body);
    // The rest of a list that took too long: all of it anew.
    if (IsGone(answer)) return Trouble(answer, Next::kFreshList);
    if (!IsWhole(answer)) return Trouble(answer, again);
    head = body.head();
    if (!head || head->resource_version.empty()) {
      return Trouble("the answer is no whole list of pods", {}, again);
    }
    if (head->continue_token.empty()) break;
  }
  resource_version_ = head->resource_version;
  table_.Replace(std::move(pods), client_->Now());
  Publish();
  Recovered();
  return Next::kWatch;
}

PodWatch::Next PodWatch::Watch() {
  // Not all agents of a cluster at once.
  const auto time = std::chrono::duration_cast<seconds>(options_.watch_time * (1 - options_.random() / 5));
  const std::string path = fmt::format(
      "/api/v1/pods?watch=1&allowWatchBookmarks=true&fieldSelector=spec.nodeName%3D{}&timeoutSeconds={}"
      "&resourceVersion={}",
      Escape(options_.node_name), time.count(), Escape(resource_version_));
  WatchBody body(*this);
  const auto begin = client_->Now();
  const ApiClient::Answer answer = Get(path, time + kWatchGrace, body);
  body.Finish();
  const bool worked =
      body.events() > 0 || (!body.error() && client_->Now() - begin >= kShortestWatch);
  const bool ended_in_order = IsWhole(answer) && body.complete();
  if (worked && answer.http_status == kOk) {
    backoff_ = options_.first_backoff;
    was_forgotten_ = false;
  }
  if (ended_in_order && worked) return Next::kWatch;
  if (absl::IsCancelled(answer.status)) return Next::kStop;
  ++watch_restarts_;
  if (IsGone(answer) || (body.error() && body.error()->error_code == kGone)) {
    // The server is there and says what to do: what was waited before, for it to come back, is of no
    // account. But it may say so each time.
    if (!std::exchange(was_forgotten_, true)) backoff_ = options_.first_backoff;
    spdlog::info("kubernetes: the server has forgotten where the watch was (410): pods are listed again");
    return Backoff({}, Next::kFreshList);
  }
  if (body.error()) {
    return Trouble(fmt::format("the server ended the watch with error {}: {}", body.error()->error_code,
                               body.error()->error),
                   {}, Next::kWatch);
  }
  if (ended_in_order) return Backoff({}, Next::kWatch);
  if (IsWhole(answer)) return Trouble("the watch ended in the middle of an event", {}, Next::kWatch);
  return Trouble(answer, Next::kWatch);
}

PodWatch::Next PodWatch::Poll() {
  std::vector<Pod> pods;
  ListBody body(*this, pods);
  asked_.store(false);
  const ApiClient::Answer answer = Get("/pods", options_.list_timeout, body);
  if (!IsWhole(answer)) return Trouble(answer, Next::kList);
  if (!body.head()) return Trouble("the answer is no whole list of pods", {}, Next::kList);
  const auto now = client_->Now();
  table_.Replace(std::move(pods), now);
  Publish();
  Recovered();
  if (!Sleep(now + options_.shortest_poll_interval)) return Next::kStop;
  const auto deadline = now + options_.poll_interval;
  while (!asked_.load() && client_->Now() < deadline) {
    if (!client_->WaitUntil(deadline)) return Next::kStop;
  }
  return Next::kList;
}

bool PodWatch::Sleep(Clock::time_point deadline) {
  while (client_->Now() < deadline) {
    if (!client_->WaitUntil(deadline)) return false;
  }
  return true;
}

PodWatch::Next PodWatch::Trouble(const ApiClient::Answer& answer, Next next) {
  if (absl::IsCancelled(answer.status)) return Next::kStop;
  if (!answer.status.ok()) return Trouble(std::string(answer.status.message()), answer.retry_after, next);
  std::string what = fmt::format("HTTP {}", answer.http_status);
  const std::string message = ParseErrorMessage(answer.error_body);
  if (!message.empty()) what += ": " + message;
  if (answer.http_status == kUnauthorized) {
    const absl::StatusOr<std::string> token =
        options_.token_file.empty() ? sent_token_ : ReadToken(options_.token_file);
    if (token.ok() && *token != sent_token_) {
      // It was exchanged just now.
      ++api_errors_;
      return next;
    }
    what += options_.token_file.empty()
                ? "; set kubernetes.token_file to a service account's token"
                : fmt::format("; the token in {} is not accepted: renew it, or name another file "
                              "(kubernetes.token_file)",
                              options_.token_file);
  } else if (answer.http_status == kForbidden) {
    what += options_.source == Options::Source::kApi
                ? "; allow the service account to list and watch pods (ClusterRole)"
                : "; allow the service account to get nodes/proxy (ClusterRole)";
  }
  return Trouble(what, answer.retry_after, next);
}

PodWatch::Next PodWatch::Trouble(const std::string& what, seconds retry_after, Next next) {
  ++api_errors_;
  in_trouble_ = true;
  const auto now = client_->Now();
  if (what != complaint_ || next_complaint_ <= now) {
    spdlog::warn("kubernetes: pods are not up to date: {}", what);
    complaint_ = what;
    next_complaint_ = now + kComplaintInterval;
  }
  return Backoff(retry_after, next);
}

PodWatch::Next PodWatch::Backoff(seconds retry_after, Next next) {
  const auto wait = std::max<Clock::duration>(
      std::chrono::duration_cast<Clock::duration>(backoff_ * (0.5 + options_.random())),
      std::min(retry_after, kLongestRetryAfter));
  backoff_ = std::min(backoff_ * 2, options_.longest_backoff);
  return Sleep(client_->Now() + wait) ? next : Next::kStop;
}

void PodWatch::Recovered() {
  // Of the API it is a watch that says that all is well: a list may go well each time it is asked for.
  if (options_.source == Options::Source::kKubelet) backoff_ = options_.first_backoff;
  if (!in_trouble_) return;
  in_trouble_ = false;
  complaint_.clear();
  spdlog::info("kubernetes: {} pods known", table_.size());
}

void PodWatch::Publish() {
  table_.Expire(client_->Now());
  pods_left_out_ += table_.TakeLeftOut();
  std::shared_ptr<const PodDirectory> directory = table_.MakeDirectory();
  {
    const std::lock_guard lock(mutex_);
    directory_.swap(directory);
  }
  version_.fetch_add(1, std::memory_order_release);
}  // the old one ends here, outside of the lock

}  // namespace sockflow::kubernetes

// SPDX-License-Identifier: MIT
#include "enrich/kubernetes/api_client.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "enrich/kubernetes/curl_library.h"
#include "fmt/format.h"

namespace sockflow::kubernetes {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnectTimeout{10'000};
// A peer that is gone without a word is noticed after this and as much again.
constexpr long kKeepaliveSeconds = 15;
constexpr size_t kLongestErrorBody = 4096;
// What curl asks us to wait at most.
constexpr milliseconds kLongestWait{60'000};

using EasyPtr = std::unique_ptr<CURL, decltype(CurlLibrary::easy_cleanup)>;
using MultiPtr = std::unique_ptr<CURLM, decltype(CurlLibrary::multi_cleanup)>;
using ListPtr = std::unique_ptr<curl_slist, decltype(CurlLibrary::slist_free_all)>;

// One question, and what its callbacks need.
struct Transfer {
  const CurlLibrary& curl;
  CURL* easy;
  ApiClient::Body& body;
  absl::Status body_status;
  std::string error_body;
};

size_t OnOctets(char* data, size_t, size_t octets, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  long status = 0;
  transfer.curl.easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) {
    const size_t room = kLongestErrorBody - transfer.error_body.size();
    transfer.error_body.append(data, std::min(octets, room));
    return octets;
  }
  transfer.body_status = transfer.body.OnOctets({data, octets});
  return transfer.body_status.ok() ? octets : CURL_WRITEFUNC_ERROR;
}

class CurlClient final : public ApiClient {
 public:
  CurlClient(const CurlLibrary& curl, std::string server, std::string ca_file, MultiPtr multi)
      : curl_(curl), server_(std::move(server)), ca_file_(std::move(ca_file)), multi_(std::move(multi)) {}

  Answer Get(const Request& request, Body& body) override;
  bool WaitUntil(Clock::time_point deadline) override;
  Clock::time_point Now() override { return Clock::now(); }
  void Hurry() override {
    hurry_.store(true);
    curl_.multi_wakeup(multi_.get());
  }
  void Stop() override {
    stop_.store(true);
    curl_.multi_wakeup(multi_.get());
  }

 private:
  void SetOptions(CURL* easy, const Request& request, curl_slist* headers, Transfer& transfer,
                  char* error);
  // Until something happens, Stop() or Hurry(), but not longer than that.
  void Poll(Clock::time_point deadline);
  absl::Status StatusOf(CURLcode code, std::string_view detail) const;

  const CurlLibrary& curl_;
  std::string server_;
  std::string ca_file_;
  MultiPtr multi_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> hurry_ = false;
};

void CurlClient::SetOptions(CURL* easy, const Request& request, curl_slist* headers, Transfer& transfer,
                            char* error) {
  curl_.easy_setopt(easy, CURLOPT_URL, (server_ + request.path).c_str());
  curl_.easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_.easy_setopt(easy, CURLOPT_WRITEFUNCTION, OnOctets);
  curl_.easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_.easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
  curl_.easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  curl_.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(kConnectTimeout.count()));
  // The token is for this server alone: no plain text, no redirection, no proxy of the environment.
  curl_.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
  curl_.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_.easy_setopt(easy, CURLOPT_PROXY, "");
  curl_.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!ca_file_.empty()) {
    curl_.easy_setopt(easy, CURLOPT_CAINFO, ca_file_.c_str());
    curl_.easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
  // curl would believe for a day in what it has read once; a cluster may exchange its authority any time.
  curl_.easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
  // A watch is one connection of its own in any case.
  curl_.easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // The end does not wait for a name server (the resolver's thread).
  curl_.easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_.easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_.easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, kKeepaliveSeconds);
  curl_.easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, kKeepaliveSeconds / 5);
}

void CurlClient::Poll(Clock::time_point deadline) {
  const auto now = Clock::now();
  // Not the difference first: a deadline may lie at the end of all time.
  const auto end = std::min(deadline, now + kLongestWait);
  const auto left = std::chrono::ceil<milliseconds>(std::max<Clock::duration>(end - now, {}));
  curl_.multi_poll(multi_.get(), nullptr, 0, static_cast<int>(left.count()), nullptr);
}

ApiClient::Answer CurlClient::Get(const Request& request, Body& body) {
  const EasyPtr easy(curl_.easy_init(), curl_.easy_cleanup);
  const ListPtr headers(curl_.slist_append(nullptr, "Accept: application/json"), curl_.slist_free_all);
  if (!easy || !headers) return {.status = absl::ResourceExhaustedError("no memory")};
  if (!request.token.empty()) {
    const std::string line = "Authorization: Bearer " + request.token;
    // On failure the list is as it was.
    if (curl_.slist_append(headers.get(), line.c_str()) == nullptr) {
      return {.status = absl::ResourceExhaustedError("no memory")};
    }
  }
  Transfer transfer{.curl = curl_, .easy = easy.get(), .body = body, .body_status = {}, .error_body = {}};
  std::array<char, CURL_ERROR_SIZE> error{};
  SetOptions(easy.get(), request, headers.get(), transfer, error.data());
  curl_.multi_add_handle(multi_.get(), easy.get());

  Answer answer;
  while (true) {
    int running = 0;
    curl_.multi_perform(multi_.get(), &running);
    if (stop_.load()) {
      answer.status = absl::CancelledError("the agent stops");
      break;
    }
    if (running == 0) {
      int left = 0;
      const CURLMsg* message = curl_.multi_info_read(multi_.get(), &left);
      const CURLcode code = message != nullptr ? message->data.result : CURLE_FAILED_INIT;
      answer.status = !transfer.body_status.ok() ? transfer.body_status : StatusOf(code, error.data());
      break;
    }
    Poll(body.OnPause(Clock::now()));
  }
  curl_.multi_remove_handle(multi_.get(), easy.get());
  long status = 0;
  curl_.easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  curl_off_t retry_after = 0;
  curl_.easy_getinfo(easy.get(), CURLINFO_RETRY_AFTER, &retry_after);
  answer.http_status = static_cast<int>(status);
  answer.retry_after = std::chrono::seconds(retry_after);
  answer.error_body = std::move(transfer.error_body);
  return answer;
}

absl::Status CurlClient::StatusOf(CURLcode code, std::string_view detail) const {
  if (code == CURLE_OK) return absl::OkStatus();
  const std::string why = detail.empty() ? curl_.easy_strerror(code) : std::string(detail);
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return absl::UnauthenticatedError(fmt::format(
          "{}: its certificate is not to be trusted: {}; set kubernetes.ca_file to the certificate of its "
          "authority, and kubernetes.api_server to a name that the certificate has",
          server_, why));
    default:
      return absl::UnavailableError(fmt::format("{}: {}", server_, why));
  }
}

bool CurlClient::WaitUntil(Clock::time_point deadline) {
  while (!stop_.load() && !hurry_.exchange(false) && Clock::now() < deadline) Poll(deadline);
  return !stop_.load();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ApiClient>> MakeApiClient(const std::string& server,
                                                         const std::string& ca_file) {
  const absl::StatusOr<const CurlLibrary*> curl = CurlLibrary::Load();
  if (!curl.ok()) return curl.status();
  MultiPtr multi((*curl)->multi_init(), (*curl)->multi_cleanup);
  if (!multi) return absl::ResourceExhaustedError("libcurl: no memory or no descriptor left");
  return std::make_unique<CurlClient>(**curl, server, ca_file, std::move(multi));
}

}  // namespace sockflow::kubernetes

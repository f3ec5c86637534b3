// SPDX-License-Identifier: MIT
#include <dlfcn.h>

#include <string_view>

#include "enrich/kubernetes/curl_library.h"
#include "fmt/format.h"

namespace sockflow::kubernetes {
namespace {

// That of the binary interface that the header describes, since 7.16.
constexpr char kFile[] = "libcurl.so.4";

absl::Status Failed(std::string_view what) {
  const char* why = dlerror();
  return absl::UnavailableError(fmt::format("kubernetes.enabled: {}: {}; install libcurl4", what,
                                            why == nullptr ? "unknown error" : why));
}

}  // namespace

absl::StatusOr<const CurlLibrary*> CurlLibrary::Load() {
  void* const file = dlopen(kFile, RTLD_NOW | RTLD_LOCAL);
  if (file == nullptr) return Failed("libcurl cannot be loaded");
  static CurlLibrary library;
  const auto find = [file](const char* name, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(file, name));
    return function != nullptr;
  };
  const bool complete =
      find("curl_global_init", library.global_init) && find("curl_easy_init", library.easy_init) &&
      find("curl_easy_cleanup", library.easy_cleanup) && find("curl_easy_setopt", library.easy_setopt) &&
      find("curl_easy_getinfo", library.easy_getinfo) &&
      find("curl_easy_strerror", library.easy_strerror) && find("curl_multi_init", library.multi_init) &&
      find("curl_multi_cleanup", library.multi_cleanup) &&
      find("curl_multi_add_handle", library.multi_add_handle) &&
      find("curl_multi_remove_handle", library.multi_remove_handle) &&
      find("curl_multi_perform", library.multi_perform) &&
      find("curl_multi_info_read", library.multi_info_read) &&
      find("curl_multi_poll", library.multi_poll) && find("curl_multi_wakeup", library.multi_wakeup) &&
      find("curl_slist_append", library.slist_append) &&
      find("curl_slist_free_all", library.slist_free_all);
  if (!complete) return Failed("libcurl is too old");
  // Counts its calls, and from 7.84 on may be called while other threads run.
  if (library.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return absl::UnavailableError("kubernetes.enabled: libcurl cannot be used: curl_global_init failed");
  }
  return &library;
}

}  // namespace sockflow::kubernetes

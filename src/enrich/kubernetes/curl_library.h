// SPDX-License-Identifier: MIT
#pragma once

#include <curl/curl.h>

#include "absl/status/statusor.h"

namespace sockflow::kubernetes {

// libcurl, loaded when it is needed first: it brings two dozen libraries along, 4 MB that an agent without
// Kubernetes has no use for. The members are libcurl's functions of these names.
struct CurlLibrary {
  // kUnavailable: it is not installed. Stays loaded.
  static absl::StatusOr<const CurlLibrary*> Load();

  decltype(&curl_global_init) global_init;
  decltype(&curl_easy_init) easy_init;
  decltype(&curl_easy_cleanup) easy_cleanup;
  decltype(&curl_easy_setopt) easy_setopt;
  decltype(&curl_easy_getinfo) easy_getinfo;
  decltype(&curl_easy_strerror) easy_strerror;
  decltype(&curl_multi_init) multi_init;
  decltype(&curl_multi_cleanup) multi_cleanup;
  decltype(&curl_multi_add_handle) multi_add_handle;
  decltype(&curl_multi_remove_handle) multi_remove_handle;
  decltype(&curl_multi_perform) multi_perform;
  decltype(&curl_multi_info_read) multi_info_read;
  decltype(&curl_multi_poll) multi_poll;
  decltype(&curl_multi_wakeup) multi_wakeup;
  decltype(&curl_slist_append) slist_append;
  decltype(&curl_slist_free_all) slist_free_all;
};

}  // namespace sockflow::kubernetes

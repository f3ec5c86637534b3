// SPDX-License-Identifier: MIT
#include "agent/compose_kubernetes.h"

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "agent/host.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace sockflow {
namespace {

// Where a pod finds what its service account is given.
constexpr std::string_view kTokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token";
constexpr std::string_view kCaFile = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
constexpr int kKubeletPort = 10250;

std::string InUrl(const std::string& host) { return host.find(':') == host.npos ? host : "[" + host + "]"; }

bool Exists(std::string_view file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

}  // namespace

absl::StatusOr<KubernetesOptions> KubernetesOptionsOf(const Config::Kubernetes& config,
                                                      const Environment& environment,
                                                      const std::string& host_name) {
  const auto wrong = [&](std::string_view why) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", config.place.ToString(), why));
  };
  KubernetesOptions options{.from_kubelet = config.from_kubelet,
                            .server = config.api_server,
                            .node_name = config.node_name,
                            .token_file = config.token_file,
                            .ca_file = config.ca_file,
                            .labels = config.labels};
  if (options.node_name.empty()) options.node_name = environment("NODE_NAME");
  if (options.node_name.empty()) {
    options.node_name = host_name;
    absl::AsciiStrToLower(&options.node_name);  // as the kubelet does
  }
  if (options.node_name.empty()) {
    return wrong("the name of this node is not known; set kubernetes.node_name");
  }
  if (options.server.empty() && options.from_kubelet) {
    options.server = fmt::format("https://{}:{}", InUrl(options.node_name), kKubeletPort);
  }
  if (options.server.empty()) {
    const std::string host = environment("KUBERNETES_SERVICE_HOST");
    const std::string port = environment("KUBERNETES_SERVICE_PORT");
    if (host.empty() || port.empty()) {
      return wrong(
          "true, but this is no pod of a cluster (KUBERNETES_SERVICE_HOST and _PORT are not set); set "
          "kubernetes.api_server, token_file and ca_file, or enabled to false");
    }
    options.server = fmt::format("https://{}:{}", InUrl(host), port);
  }
  if (options.token_file.empty() && Exists(kTokenFile)) options.token_file = kTokenFile;
  if (options.ca_file.empty() && Exists(kCaFile)) options.ca_file = kCaFile;
  return options;
}

absl::StatusOr<std::unique_ptr<Enricher>> ComposeKubernetes(const Config::Kubernetes& config) {
  const Environment environment = [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::string(value != nullptr ? value : "");
  };
  const auto options = KubernetesOptionsOf(config, environment, HostName());
  if (!options.ok()) return options.status();
  auto enricher = OpenKubernetes(*options);
  if (!enricher.ok()) {
    const bool absent = absl::IsUnimplemented(enricher.status());
    return absl::Status(absent ? absl::StatusCode::kInvalidArgument : enricher.status().code(),
                        fmt::format("{}: {}", config.place.ToString(),
                                    std::string(enricher.status().message())));
  }
  spdlog::info("kubernetes: pods of node {} from {}", options->node_name, options->server);
  return enricher;
}

}  // namespace sockflow

// SPDX-License-Identifier: MIT
#include <chrono>

#include "config/key_groups.h"
#include "config/values.h"

namespace sockflow::config {
namespace {

constexpr std::string_view kPodSourceWords[] = {"api", "kubelet"};

std::span<const std::string_view> PodSourceWords() { return kPodSourceWords; }

constexpr Key kKeys[] = {
    {.name = "kubernetes.enabled",
     .type = Type::kWord,
     .default_value = "false",
     .words = BooleanWords,
     .set = [](Draft& d, const Value& v) { d.config.kubernetes.enabled = v.number != 0; },
     .prose = "true: sessions get the names of this node's pods at either end: pod, namespace,\n"
              "node, owner and labels. Needs a service account that may list and watch pods."},
    {.name = "kubernetes.source",
     .type = Type::kWord,
     .default_value = "api",
     .words = PodSourceWords,
     .set = [](Draft& d, const Value& v) { d.config.kubernetes.from_kubelet = v.number != 0; },
     .prose = "Who is asked for the pods. api: the API server, which tells of each change.\n"
              "kubelet: the kubelet of this node, again and again (needs nodes/proxy)."},
    {.name = "kubernetes.api_server",
     .default_value = "\"\"",
     .text_rule = "https://HOST[:PORT], or nothing",
     .read = ReadApiServer,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.kubernetes.api_server = v.text; },
     .prose = "Where it is. Nothing: in a cluster its API server (KUBERNETES_SERVICE_HOST); with\n"
              "source kubelet https://NODE:10250."},
    {.name = "kubernetes.node_name",
     .default_value = "\"\"",
     .text_rule = "the name of a node in lower case, or nothing",
     .read = ReadNodeName,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.kubernetes.node_name = v.text; },
     .prose = "The name of this node in Kubernetes. Nothing: the environment's NODE_NAME, else\n"
              "the name of this host."},
    {.name = "kubernetes.token_file",
     .default_value = "\"\"",
     .text_rule = "the path of a file, or nothing",
     .read = ReadAnyText,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.kubernetes.token_file = v.text; },
     .prose = "The file with the token of the service account, which may change at any time.\n"
              "Nothing: /var/run/secrets/kubernetes.io/serviceaccount/token."},
    {.name = "kubernetes.ca_file",
     .default_value = "\"\"",
     .text_rule = "the path of a PEM file, or nothing",
     .read = ReadAnyText,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.kubernetes.ca_file = v.text; },
     .prose = "The authorities that the server's certificate may come from. Nothing: ca.crt\n"
              "beside that token."},
    {.name = "kubernetes.labels",
     .type = Type::kNames,
     .default_value = "[]",
     .text_rule = "keys of labels, such as app.kubernetes.io/name",
     .read = ReadLabelKey,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.kubernetes.labels = v.names; },
     .prose = "Which labels of a pod are told, as \"app=web,tier=front\"."},
    {.name = "kubernetes.wait_milliseconds",
     .type = Type::kNumber,
     .default_value = "1000",
     .min = 0,
     .max = 60000,
     .set =
         [](Draft& d, const Value& v) { d.config.kubernetes.wait = std::chrono::milliseconds(v.number); },
     .prose = "How long a session's records may wait for the names of a pod that is not known yet."},
};

}  // namespace

std::span<const Key> KubernetesKeys() { return kKeys; }

}  // namespace sockflow::config

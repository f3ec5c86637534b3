// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>

#include "config/keys.h"

// The rows of the table of keys, by the sections that they are in.
namespace sockflow::config {

std::span<const Key> FilterKeys();         // interface, bpf.*, filter.*
std::span<const Key> CollectorKeys();      // collector.*, collectors.*
std::span<const Key> CaptureKeys();        // capture.*, process.*
std::span<const Key> ExporterKeys();       // exporter.*
std::span<const Key> KubernetesKeys();     // kubernetes.*
std::span<const Key> LogAndMetricsKeys();  // metrics.*, log.*

inline constexpr std::string_view kBooleanWords[] = {"false", "true"};
inline std::span<const std::string_view> BooleanWords() { return kBooleanWords; }

}  // namespace sockflow::config

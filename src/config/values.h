// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "config/keys.h"
#include "sockflow/filter_rules.h"
#include "sockflow/words.h"

// Single values of a configuration, and words for what is wrong with them.
namespace sockflow::config {

// Text from a file, cut and escaped so that a message stays one line: "\"eth0\"".
std::string Quote(std::string_view text);

// The index of `text` in `words`.
absl::StatusOr<size_t> ReadWord(std::string_view text, std::span<const std::string_view> words);

// Values of single keys; blanks around them do not count.
absl::StatusOr<std::string> ReadHost(std::string_view text);
absl::StatusOr<std::string> ReadSourceHost(std::string_view text);
absl::StatusOr<std::string> ReadInterfaces(std::string_view text);  // "eth0,eth1"; empty: any
absl::StatusOr<std::string> ReadAnyText(std::string_view text);
absl::StatusOr<std::string> ReadUrl(std::string_view text);        // -> complete URL
absl::StatusOr<std::string> ReadText(std::string_view text);       // anything but nothing
absl::StatusOr<std::string> ReadPemPath(std::string_view text);    // of a file that can be read
absl::StatusOr<std::string> ReadDirectory(std::string_view text);  // -> normal form
absl::StatusOr<std::string> ReadListenAddress(std::string_view text);  // "HOST:PORT", ":PORT"
absl::StatusOr<std::string> ReadDomainName(std::string_view text);
absl::StatusOr<std::string> ReadApiServer(std::string_view text);  // -> "https://HOST:PORT"
absl::StatusOr<std::string> ReadNodeName(std::string_view text);
absl::StatusOr<std::string> ReadLabelKey(std::string_view text);

// Values of rules, each in its normal form.
absl::StatusOr<std::string> ReadProcessName(std::string_view text);
absl::StatusOr<std::string> ReadExecutable(std::string_view text);
absl::StatusOr<std::string> ReadUser(std::string_view text);
absl::StatusOr<std::string> ReadContainerId(std::string_view text);   // -> in lower case
absl::StatusOr<std::string> ReadPodNamespace(std::string_view text);
absl::StatusOr<std::string> ReadPrefix(std::string_view text);
absl::StatusOr<std::string> ReadPortRange(std::string_view text);
std::optional<PortRange> ParsePortRange(std::string_view text);

// Refuses the numbers of others.
absl::Status CheckPen(const Value& pen);
// What is odd about a number that is not refused; empty: nothing.
std::string NoteOnPen(uint32_t pen);

}  // namespace sockflow::config

// SPDX-License-Identifier: MIT
#include "source/pcap/owners/tracepoint_format.h"

#include <charconv>
#include <cstring>
#include <string>

#include "fmt/format.h"

namespace sockflow::pcap {
namespace {

constexpr uint32_t kTcp = 6;

// The number after `key`, up to the first character that is no digit.
std::optional<uint32_t> NumberAfter(std::string_view text, std::string_view key) {
  const size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view digits = text.substr(at + key.size());
  uint32_t number;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

// "\tfield:__u8 saddr_v6[16];\toffset:40;\tsize:16;\tsigned:0;" is a line for "saddr_v6".
bool IsLineOf(std::string_view line, std::string_view name) {
  const size_t end = line.find(';');
  if (line.find("field:") == std::string_view::npos || end == std::string_view::npos) return false;
  std::string_view declaration = line.substr(0, end);
  declaration = declaration.substr(0, declaration.find('['));
  return declaration.size() > name.size() && declaration.ends_with(name) &&
         (declaration[declaration.size() - name.size() - 1] == ' ' ||
          declaration[declaration.size() - name.size() - 1] == '*');
}

std::optional<SocketStateLayout::Field> FindField(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const size_t length = text.find('\n');
    const std::string_view line = text.substr(0, length);
    text.remove_prefix(length == std::string_view::npos ? text.size() : length + 1);
    if (!IsLineOf(line, name)) continue;
    const std::optional<uint32_t> offset = NumberAfter(line, "offset:");
    const std::optional<uint32_t> size = NumberAfter(line, "size:");
    constexpr uint32_t kMost = 4096;  // a record is smaller than a page
    if (!offset || !size || *offset > kMost || *size > kMost) return std::nullopt;
    return SocketStateLayout::Field{static_cast<uint16_t>(*offset), static_cast<uint16_t>(*size)};
  }
  return std::nullopt;
}

// A number in the host's byte order.
uint64_t ReadNumber(std::span<const uint8_t> record, SocketStateLayout::Field field) {
  const uint8_t* at = record.data() + field.offset;
  switch (field.size) {
    case 1: return *at;
    case 2: { uint16_t v; std::memcpy(&v, at, sizeof(v)); return v; }
    case 4: { uint32_t v; std::memcpy(&v, at, sizeof(v)); return v; }
    default: { uint64_t v; std::memcpy(&v, at, sizeof(v)); return v; }
  }
}

IpAddress ReadAddress(std::span<const uint8_t> record, SocketStateLayout::Field field) {
  return IpAddress::V6(record.subspan(field.offset).first<16>());
}

}  // namespace

absl::StatusOr<SocketStateLayout> ParseSocketStateFormat(std::string_view text) {
  SocketStateLayout layout;
  const std::optional<uint32_t> id = NumberAfter(text, "ID: ");
  if (!id) return absl::InvalidArgumentError("its format has no ID");
  layout.id = *id;
  struct Wanted {
    std::string_view name;
    SocketStateLayout::Field* field;
    uint16_t smallest, largest;
  };
  const Wanted wanted[] = {
      {"skaddr", &layout.socket, 4, 8},       {"oldstate", &layout.old_state, 4, 4},
      {"newstate", &layout.new_state, 4, 4},  {"sport", &layout.local_port, 2, 2},
      {"dport", &layout.remote_port, 2, 2},   {"protocol", &layout.protocol, 1, 2},
      {"saddr_v6", &layout.local, 16, 16},    {"daddr_v6", &layout.remote, 16, 16},
  };
  for (const Wanted& w : wanted) {
    const std::optional<SocketStateLayout::Field> found = FindField(text, w.name);
    if (!found) return absl::InvalidArgumentError(fmt::format("its format has no field {}", w.name));
    const bool power_of_two = (found->size & (found->size - 1)) == 0;
    if (found->size < w.smallest || found->size > w.largest || !power_of_two) {
      return absl::InvalidArgumentError(
          fmt::format("its field {} has {} octets, not {}", w.name, found->size, w.largest));
    }
    *w.field = *found;
  }
  return layout;
}

bool ReadSocketState(const SocketStateLayout& layout, std::span<const uint8_t> record,
                     StateChange& change) {
  for (const SocketStateLayout::Field field :
       {layout.socket, layout.old_state, layout.new_state, layout.local_port, layout.remote_port,
        layout.protocol, layout.local, layout.remote}) {
    if (size_t{field.offset} + field.size > record.size()) return false;
  }
  if (ReadNumber(record, layout.protocol) != kTcp) return false;
  change.socket = ReadNumber(record, layout.socket);
  change.from = static_cast<TcpState>(ReadNumber(record, layout.old_state));
  change.to = static_cast<TcpState>(ReadNumber(record, layout.new_state));
  change.local = {ReadAddress(record, layout.local),
                  static_cast<uint16_t>(ReadNumber(record, layout.local_port))};
  change.remote = {ReadAddress(record, layout.remote),
                   static_cast<uint16_t>(ReadNumber(record, layout.remote_port))};
  return true;
}

}  // namespace sockflow::pcap

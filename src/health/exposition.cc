// SPDX-License-Identifier: MIT
#include "health/exposition.h"

#include "fmt/format.h"
#include "ipfix/utf8.h"

namespace sockflow::health {
namespace {

// The format escapes these three, and wants UTF-8.
std::string Escaped(std::string_view value) {
  std::string out;
  while (!value.empty()) {
    const ipfix::Utf8Character character = ipfix::FirstCharacter(value);
    if (value.front() == '\n') {
      out += "\\n";
    } else {
      if (value.front() == '"' || value.front() == '\\') out += '\\';
      out += character.valid ? value.substr(0, character.octets) : ipfix::kReplacementCharacter;
    }
    value.remove_prefix(character.octets);
  }
  return out;
}

}  // namespace

void Exposition::Begin(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void Exposition::Add(Labels labels, uint64_t value) { AddText(labels, fmt::format("{}", value)); }

void Exposition::Add(Labels labels, double value) { AddText(labels, fmt::format("{}", value)); }

void Exposition::AddText(Labels labels, std::string_view value) {
  text_ += name_;
  char before = '{';
  for (const Label& label : labels) {
    text_ += fmt::format("{}{}=\"{}\"", before, label.name, Escaped(label.value));
    before = ',';
  }
  if (labels.size() > 0) text_ += '}';
  text_ += fmt::format(" {}\n", value);
}

}  // namespace sockflow::health

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace sockflow::health {

// Writes metrics in the text format that Prometheus and others read (version 0.0.4): each family once,
// with its samples behind it.
class Exposition {
 public:
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

  struct Label {
    std::string_view name;
    std::string_view value;  // any octets; what is not UTF-8 is replaced
  };
  using Labels = std::initializer_list<Label>;

  // Names end in _total (counters) or a unit, as https://prometheus.io/docs/practices/naming asks.
  void Counter(std::string_view name, std::string_view help) { Begin(name, "counter", help); }
  void Gauge(std::string_view name, std::string_view help) { Begin(name, "gauge", help); }

  // Samples of the family that was begun last; never the same labels twice.
  void Add(Labels labels, uint64_t value);
  void Add(Labels labels, double value);
  void Add(uint64_t value) { Add({}, value); }

  const std::string& text() const { return text_; }

 private:
  void Begin(std::string_view name, std::string_view type, std::string_view help);
  void AddText(Labels labels, std::string_view value);

  std::string name_;
  std::string text_;
};

}  // namespace sockflow::health

// SPDX-License-Identifier: MIT
#include "config/keys.h"

#include <algorithm>

#include "config/key_groups.h"

namespace sockflow::config {

std::span<const Key> Keys() {
  static const std::vector<Key>& keys = *new std::vector<Key>([] {
    std::vector<Key> all;
    // Keys of a section stand together: config.example.yaml follows this order.
    for (const auto& group : {FilterKeys(), CollectorKeys(), CaptureKeys(), ExporterKeys(), KubernetesKeys(),
                              LogAndMetricsKeys()}) {
      all.insert(all.end(), group.begin(), group.end());
    }
    return all;
  }());
  return keys;
}

const Key* FindKey(std::string_view name) {
  const std::span<const Key> keys = Keys();
  const auto key = std::ranges::find(keys, name, &Key::name);
  return key == keys.end() ? nullptr : &*key;
}

bool IsOfItem(std::string_view name) {
  return name.starts_with("collectors.") || name.starts_with("filter.rule.");
}

bool IsSection(std::string_view name) {
  return std::ranges::any_of(Keys(), [&](const Key& key) {
    return key.name.size() > name.size() && key.name.starts_with(name) &&
           key.name[name.size()] == '.';
  });
}

}  // namespace sockflow::config

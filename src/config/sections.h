// SPDX-License-Identifier: MIT
#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "config/faults.h"
#include "config/keys.h"

// Maps of YAML, read by the table of keys: of the file, and of a list's items.
namespace sockflow::config {

// From 1; yaml-cpp counts from 0 and says -1 where it does not know.
int LineOf(const YAML::Node& node);

// The keys of a map and of the sections below it.
struct Given {
  int line = 0;
  // Where each key and each section stands, sound or not.
  std::map<std::string, int, std::less<>> lines;
  // Those that are sound, in the order of the table. Of lists of collectors, the list.
  std::map<const Key*, Value> values;
  std::map<const Key*, YAML::Node> items;

  bool Has(std::string_view name) const { return lines.find(name) != lines.end(); }
  // Of a key or section; the map's own if it is not there.
  int LineOf(std::string_view name) const;
};

// Reads a map whose keys are named "SECTION.*" in the table; section "": the file's own.
Given ReadSections(const std::string& section, const YAML::Node& map, Faults& faults);

// nullopt: a fault was noted.
std::optional<Value> ReadScalar(const Key& key, int line, const YAML::Node& node, Faults& faults);

}  // namespace sockflow::config

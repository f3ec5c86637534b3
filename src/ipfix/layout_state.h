// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "ipfix/session_templates.h"
#include "sockflow/ipfix/layout.h"

namespace sockflow::ipfix {

struct Layout::State {
  std::string_view name;
  uint32_t pen = 0;
  bool in_each_message = false;
  bool fixed_length = true;
  bool has_updates = true;
  std::span<const SessionTemplate> templates;
  std::array<const SessionTemplate*, kRecordShapes> of_shape{};

  // Of a list of one's own, what the above points to.
  std::vector<std::vector<Field>> listed_fields;
  std::vector<std::string> listed_names;
  std::vector<SessionTemplate> listed_templates;

  // Fills in what follows from the templates.
  void Complete(uint32_t configured_pen);
};

}  // namespace sockflow::ipfix

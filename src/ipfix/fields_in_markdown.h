// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sockflow/ipfix/template.h"

namespace sockflow::ipfix {

// A table of these elements and one of the templates, of one profile or of all.
std::string FieldsInMarkdown(std::optional<Profile> profile, const std::vector<const Element*>& elements);

}  // namespace sockflow::ipfix

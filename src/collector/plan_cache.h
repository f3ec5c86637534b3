// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/node_hash_map.h"
#include "sockflow/ipfix/message_decoder.h"

namespace sockflow::collector {

// What a printer worked out about a template once, so as not to do it for every record. A plan is
// found by the template's address and used only if the template still has the same fields, because
// a template can be replaced in place. Bounded: emptied when full.
template <typename Plan>
class PlanCache {
 public:
  // Valid until the next call.
  template <typename MakePlan>
  const Plan& For(const ipfix::DecodedTemplate& description, MakePlan make) {
    if (last_ != nullptr && last_address_ == &description && SameFields(*last_, description)) {
      return last_->plan;
    }
    if (entries_.size() >= kMaxPlans && !entries_.contains(&description)) entries_.clear();
    auto [it, is_new] = entries_.try_emplace(&description);
    Entry& entry = it->second;
    if (is_new || !SameFields(entry, description)) {
      entry.scope_fields = description.scope_fields;
      entry.fields = description.fields;
      entry.plan = make(description);
    }
    last_ = &entry;
    last_address_ = &description;
    return entry.plan;
  }

 private:
  static constexpr size_t kMaxPlans = 1024;

  struct Entry {
    uint16_t scope_fields = 0;
    std::vector<ipfix::DecodedField> fields;
    Plan plan;
  };

  static bool SameFields(const Entry& entry, const ipfix::DecodedTemplate& description) {
    return entry.scope_fields == description.scope_fields &&
           std::equal(entry.fields.begin(), entry.fields.end(), description.fields.begin(),
                      description.fields.end(),
                      [](const ipfix::DecodedField& a, const ipfix::DecodedField& b) {
                        return a.element == b.element && a.id == b.id && a.pen == b.pen;
                      });
  }

  absl::node_hash_map<const ipfix::DecodedTemplate*, Entry> entries_;
  Entry* last_ = nullptr;
  const ipfix::DecodedTemplate* last_address_ = nullptr;
};

}  // namespace sockflow::collector

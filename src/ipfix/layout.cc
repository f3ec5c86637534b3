// SPDX-License-Identifier: MIT
#include "sockflow/ipfix/layout.h"

#include "ipfix/layout_state.h"
#include "ipfix/session_values.h"

namespace sockflow::ipfix {

void Layout::State::Complete(uint32_t configured_pen) {
  for (const SessionTemplate& description : templates) {
    if (description.variable_fields > 0) fixed_length = false;
    for (const Field& field : description.fields) {
      if (field.element->pen != kIana) pen = configured_pen;
    }
  }
}

Layout Layout::OfProfile(Profile profile, uint32_t pen) {
  const TemplateSet& set = TemplatesOf(profile, pen != 0);
  auto state = std::make_shared<State>();
  state->name = ToString(profile);
  state->templates = set.templates;
  for (size_t i = 0; i < kRecordShapes; ++i) {
    const uint8_t position = set.of_shape[i];
    if (position != TemplateSet::kNone) state->of_shape[i] = &set.templates[position];
  }
  // The program that sockflow replaces knows a start and an end, and no template but this one.
  state->in_each_message = profile == Profile::kSsflow;
  state->has_updates = profile != Profile::kSsflow;
  state->Complete(pen);
  return Layout(std::move(state));
}

std::span<const SessionTemplate> Layout::templates() const { return state_->templates; }

const SessionTemplate* Layout::For(const SessionRecord& record) const {
  if (record.kind == SessionRecord::Kind::kUpdate && !state_->has_updates) return nullptr;
  const RecordShape shape{.end = !IsStart(record),
                          .ipv6 = !record.session.is_ipv4(),
                          .passive = !IsActive(record)};
  return state_->of_shape[shape.index()];
}

bool Layout::has_updates() const { return state_->has_updates; }
bool Layout::templates_in_each_message() const { return state_->in_each_message; }
uint32_t Layout::pen() const { return state_->pen; }
bool Layout::fixed_length() const { return state_->fixed_length; }
std::string_view Layout::name() const { return state_->name; }

}  // namespace sockflow::ipfix

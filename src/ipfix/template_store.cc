// SPDX-License-Identifier: MIT
#include "ipfix/template_store.h"

#include <algorithm>

namespace sockflow::ipfix {

void ReceivedTemplate::Prepare() {
  uint32_t run = 0;
  for (const DecodedField& field : description.fields) {
    if (field.length == kVariableLength) {
      fixed_runs.push_back(run);
      smallest_record += run + 1;  // its length takes one octet at least
      run = 0;
    } else {
      run += field.length;
    }
  }
  fixed_runs.push_back(run);
  smallest_record += run;
  types = TypeFields::In(description);
}

const DecodingSession* TemplateStore::Find(std::string_view session, uint32_t domain) const {
  const auto found = by_key_.find(KeyView(session, domain));
  return found == by_key_.end() ? nullptr : &found->second->session;
}

DecodingSession& TemplateStore::Use(std::string_view session, uint32_t domain) {
  const auto found = by_key_.find(KeyView(session, domain));
  if (found != by_key_.end()) {
    entries_.splice(entries_.end(), entries_, found->second);
    return found->second->session;
  }
  while (!entries_.empty() && entries_.size() >= max_sessions_) {
    Erase(entries_.begin());
    ++evicted_;
  }
  entries_.push_back({Key(session, domain), {}});
  by_key_.emplace(entries_.back().key, std::prev(entries_.end()));
  return entries_.back().session;
}

void TemplateStore::SetTemplate(DecodingSession& session, uint16_t id,
                                TemplatePointer description) {
  const auto found = session.templates.find(id);
  if (found != session.templates.end()) {
    session.fields -= found->second->description.fields.size();
    fields_ -= found->second->description.fields.size();
  }
  if (description == nullptr) {
    if (found != session.templates.end()) session.templates.erase(found);
    return;
  }
  session.fields += description->description.fields.size();
  fields_ += description->description.fields.size();
  session.templates.insert_or_assign(id, std::move(description));
}

void TemplateStore::NameFields(DecodingSession& session) {
  const auto named = [&session](const DecodedField& field) -> const Element* {
    return field.element != nullptr ? field.element : session.own.Find(field.pen, field.id);
  };
  for (auto& [id, known] : session.templates) {
    const std::vector<DecodedField>& fields = known->description.fields;
    if (std::ranges::all_of(fields, [&](const auto& f) { return f.element == named(f); })) continue;
    auto better = std::make_shared<ReceivedTemplate>(*known);
    for (DecodedField& field : better->description.fields) field.element = named(field);
    known = std::move(better);
  }
}

void TemplateStore::Shrink(const DecodingSession& session) {
  while (fields_ > max_fields_ && &entries_.front().session != &session) {
    Erase(entries_.begin());
    ++evicted_;
  }
}

void TemplateStore::EndSession(std::string_view session) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (entry->key.first == session) Erase(entry);
    entry = next;
  }
}

void TemplateStore::Erase(Entries::iterator entry) {
  fields_ -= entry->session.fields;
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace sockflow::ipfix

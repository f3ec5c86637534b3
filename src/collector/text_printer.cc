// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/column_line.h"
#include "collector/plan_cache.h"
#include "collector/record_printer.h"
#include "collector/safe_text.h"
#include "collector/session_parts.h"
#include "collector/session_words.h"
#include "collector/time_writer.h"
#include "sockflow/ipfix/element.h"
#include "sockflow/ipfix/value.h"
#include "sockflow/session_event.h"

namespace sockflow::collector {
namespace {

using ipfix::DecodedField;
using ipfix::DecodedTemplate;
using ipfix::RecordView;
using Octets = std::span<const uint8_t>;

// What explains other records, and comes again and again: RFC 5610's records of types, names of
// domains.
bool IsExplanation(const DecodedTemplate& description) {
  constexpr std::string_view kExplaining[] = {"informationElementName", "observationDomainName"};
  return description.scope_fields > 0 &&
         std::ranges::any_of(description.fields, [&](const DecodedField& field) {
           return field.element != nullptr &&
                  std::ranges::find(kExplaining, field.element->name) != std::end(kExplaining);
         });
}

struct Plan {
  SessionPlan session;
  bool is_explanation = false;
  std::vector<std::string> names;  // of the fields, if it is no session
};

Plan MakePlan(const DecodedTemplate& description) {
  Plan plan{.session = SessionPlan(description),
            .is_explanation = IsExplanation(description),
            .names = {}};
  if (plan.session.is_session()) return plan;
  for (const DecodedField& field : description.fields) {
    if (field.element == nullptr) {
      plan.names.push_back(absl::StrCat("enterprise", field.pen, "_id", field.id, "="));
      continue;
    }
    std::string name(field.element->name.size() * kMaxGrowth, '\0');
    name.resize(
        static_cast<size_t>(WriteTerminalText(field.element->name, name.data()) - name.data()));
    plan.names.push_back(name + "=");
  }
  return plan;
}

// How wide the columns are.
constexpr size_t kEventWidth = 6;
constexpr size_t kProcessWidth = 15;  // TASK_COMM_LEN - 1
constexpr size_t kPidWidth = 7;       // PID_MAX_LIMIT is 4194304
constexpr size_t kUserWidth = 8;
constexpr size_t kEndpointWidth = 21;  // "255.255.255.255:65535"
constexpr size_t kSpanWidth = 8;
constexpr size_t kCountWidth = 8;

constexpr std::string_view kGreen = "\033[32m";
constexpr std::string_view kRed = "\033[31m";
constexpr std::string_view kDim = "\033[2m";
constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kPlain = "\033[0m";

class TextPrinter : public RecordPrinter {
 public:
  explicit TextPrinter(const TextStyle& style) : style_(style) {}

  void Print(const RecordView& record, std::string* out) override {
    const Plan& plan = plans_.For(record.description, MakePlan);
    if (plan.is_explanation) return;
    line_.Clear();
    if (plan.session.is_session()) {
      if (lines_ == 0 || (style_.header_every > 0 && lines_ % style_.header_every == 0)) {
        AppendHeaderLine();
      }
      ++lines_;
      AppendSession(Parts(plan.session, record), record.header.export_time);
    } else {
      AppendFields(plan, record);
    }
    line_.AppendUncounted("\n");
    out->append(line_.view());
  }

 private:
  size_t TimeWidth() const { return style_.date ? 23 : 12; }

  void AppendHeaderLine() {
    if (style_.colour) line_.AppendUncounted(kBold);
    line_.Begin();
    line_.AppendLeft("TIME", TimeWidth());
    line_.AppendLeft("EVENT", kEventWidth);
    line_.AppendLeft("PROCESS", kProcessWidth);
    line_.AppendRight("PID", kPidWidth);
    line_.AppendLeft("USER", kUserWidth);
    line_.AppendRight("LOCAL", kEndpointWidth);
    line_.AppendLeft("", 2);
    line_.AppendLeft("PEER", kEndpointWidth);
    line_.AppendRight("DURATION", kSpanWidth);
    line_.AppendRight("SENT", kCountWidth);
    line_.AppendRight("RECEIVED", kCountWidth);
    line_.AppendLeft("REASON", 0);
    if (style_.colour) line_.AppendUncounted(kPlain);
    line_.AppendUncounted("\n");
  }

  void AppendSession(const Parts& parts, Time export_time) {
    const uint64_t event = parts.Number(kEvent).value_or(0);
    const std::string_view event_word = EventWord(event);
    const bool is_start = event_word == "start";
    const bool local_is_destination = parts.IsLocalDestination();
    const std::string_view reason = ReasonOf(parts, event);
    if (style_.colour) {
      if (is_start) line_.AppendUncounted(kGreen);
      if (IsTrouble(reason) || event_word == "denied") line_.AppendUncounted(kRed);
      if (event_word == "update") line_.AppendUncounted(kDim);
    }
    line_.Begin();
    AppendTime(parts.Moment(is_start ? kStart : kEnd).value_or(export_time));
    if (event_word.empty()) {
      line_.AppendNumber(event, kEventWidth);
    } else {
      // It had begun before anybody looked.
      line_.AppendLeft(is_start && parts.Truth(kPreExisting) ? "found" : event_word, kEventWidth);
    }
    AppendOwner(parts, local_is_destination);
    AppendEndpoints(parts, local_is_destination);
    AppendSpan(parts, is_start);
    AppendCounters(parts, is_start, local_is_destination);
    line_.AppendForeign(reason, 0);
    AppendError(parts);
    if (style_.colour) line_.AppendUncounted(kPlain);
  }

  // In the words of our own element where the record has it, else as flags and flowEndReason tell.
  static std::string_view ReasonOf(const Parts& parts, uint64_t event) {
    const std::string_view close_reason = parts.Text(kCloseReason);
    if (IsEnd(event) && !close_reason.empty()) return close_reason;
    return ReasonWord(event, parts.Number(kEndReason).value_or(0),
                      parts.Number(kControlBits).value_or(0),
                      parts.Number(kPacketsBySource).value_or(0));
  }

  void AppendError(const Parts& parts) {
    const uint64_t error = parts.Number(kSocketError).value_or(0);
    if (error == 0) return;
    line_.AppendUncounted(" (errno ");
    line_.AppendUncountedNumber(error);
    line_.AppendUncounted(")");
  }

  void AppendTime(Time time) {
    char text[TimeWriter::kMaxOctets];
    line_.AppendLeft({text, times_.WriteLocal(time, style_.date, text)}, TimeWidth());
  }

  void AppendOwner(const Parts& parts, bool local_is_destination) {
    const auto first_text = [&](Part one, Part other) {
      const std::string_view text = parts.Text(one);
      return text.empty() ? parts.Text(other) : text;
    };
    line_.AppendForeign(
        first_text(local_is_destination ? kDestinationProcess : kSourceProcess, kApplicationName),
        kProcessWidth);
    const uint64_t pid =
        parts.Number(local_is_destination ? kDestinationPid : kSourcePid).value_or(0);
    if (pid != 0) {
      line_.AppendNumber(pid, kPidWidth);
    } else {
      line_.AppendRight("-", kPidWidth);
    }
    const std::string_view user =
        first_text(local_is_destination ? kDestinationUser : kSourceUser, kUserName);
    const std::optional<uint64_t> uid =
        parts.Number(local_is_destination ? kDestinationUid : kSourceUid);
    if (user.empty() && uid.has_value() && *uid != kNoUid) {
      char digits[kMaxWordOctets];
      const char* const end = std::to_chars(digits, digits + sizeof(digits), *uid).ptr;
      line_.AppendLeft({digits, end}, kUserWidth);
    } else {
      line_.AppendForeign(user, kUserWidth);
    }
  }

  void AppendEndpoints(const Parts& parts, bool local_is_destination) {
    const auto source = [&] { WriteEndpoint(parts.At(kSourceAddress), parts.Number(kSourcePort)); };
    const auto destination = [&] {
      WriteEndpoint(parts.At(kDestinationAddress), parts.Number(kDestinationPort));
    };
    local_is_destination ? destination() : source();
    line_.AppendRight(endpoint_, kEndpointWidth);
    line_.AppendLeft(local_is_destination ? "<-" : "->", 2);
    local_is_destination ? source() : destination();
    line_.AppendLeft(endpoint_, kEndpointWidth);
  }

  void AppendSpan(const Parts& parts, bool is_start) {
    const std::optional<Time> start = parts.Moment(kStart);
    const std::optional<Time> end = parts.Moment(kEnd);
    if (is_start || !start.has_value() || !end.has_value() || *end < *start) {
      line_.AppendRight("-", kSpanWidth);
      return;
    }
    char word[kMaxWordOctets];
    const auto span = std::chrono::duration_cast<std::chrono::milliseconds>(*end - *start).count();
    line_.AppendRight({word, WriteSpan(static_cast<uint64_t>(span), word)}, kSpanWidth);
  }

  void AppendCounters(const Parts& parts, bool is_start, bool local_is_destination) {
    std::optional<uint64_t> of_source = parts.Number(kSentBySource);
    if (!of_source.has_value()) of_source = parts.Number(kOctetDelta);
    const std::optional<uint64_t> of_destination = parts.Number(kSentByDestination);
    AppendCount(is_start, local_is_destination ? of_destination : of_source);
    AppendCount(is_start, local_is_destination ? of_source : of_destination);
  }

  void AppendCount(bool is_start, std::optional<uint64_t> count) {
    char word[kMaxWordOctets];
    if (is_start || !count.has_value()) {
      line_.AppendRight("-", kCountWidth);
    } else {
      line_.AppendRight({word, WriteCount(*count, word)}, kCountWidth);
    }
  }

  // Any other record: the time of its message, then all that it says.
  void AppendFields(const Plan& plan, const RecordView& record) {
    line_.Begin();
    AppendTime(record.header.export_time);
    line_.AppendLeft(record.description.scope_fields > 0 ? "options" : "record", 0);
    for (size_t i = 0; i < plan.names.size(); ++i) {
      line_.AppendUncounted(" ");
      line_.AppendUncounted(plan.names[i]);
      const ipfix::Element* const element = record.description.fields[i].element;
      const bool is_text = element != nullptr && element->type == ipfix::Type::kString;
      value_.clear();
      if (is_text) {
        value_ = ipfix::ReadString(record.values[i]);
        line_.AppendUncounted("\"");
      } else {
        ipfix::AppendValue(element, record.values[i], value_);
      }
      line_.AppendUncountedForeign(value_);
      if (is_text) line_.AppendUncounted("\"");
    }
  }

  void WriteEndpoint(Octets address, std::optional<uint64_t> port) {
    const std::optional<IpAddress> read = ipfix::ReadAddress(address);
    endpoint_.clear();
    if (!read.has_value()) {
      endpoint_ = "?";
    } else if (read->is_v4()) {
      absl::StrAppend(&endpoint_, read->ToString(), ":", port.value_or(0));
    } else {
      absl::StrAppend(&endpoint_, "[", read->ToString(), "]:", port.value_or(0));
    }
  }

  const TextStyle style_;
  PlanCache<Plan> plans_;
  ColumnLine line_;
  size_t lines_ = 0;
  TimeWriter times_;
  std::string endpoint_;
  std::string value_;
};

}  // namespace

TextStyle TextStyleFor(int descriptor) {
  TextStyle style;
  if (isatty(descriptor) == 0) return style;
  const char* const no_color = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  style.colour = (no_color == nullptr || *no_color == '\0') &&
                 !(terminal != nullptr && std::string_view(terminal) == "dumb");
  style.date = false;
  style.header_every = 40;
  return style;
}

std::unique_ptr<RecordPrinter> MakeTextPrinter(const TextStyle& style) {
  return std::make_unique<TextPrinter>(style);
}

std::unique_ptr<RecordPrinter> MakePrinter(Format format, const TextStyle& style) {
  if (format == Format::kJson) return MakeJsonPrinter();
  return MakeTextPrinter(style);
}

std::optional<Format> ParseFormat(std::string_view name) {
  if (name == "text") return Format::kText;
  if (name == "json") return Format::kJson;
  return std::nullopt;
}

}  // namespace sockflow::collector

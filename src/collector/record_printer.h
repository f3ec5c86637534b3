// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sockflow/ip_address.h"
#include "sockflow/ipfix/message_decoder.h"

namespace sockflow::collector {

enum class Format { kText, kJson };
// "text", "json".
std::optional<Format> ParseFormat(std::string_view name);

// Turns data records into lines. `sockflow collect` prints what it receives and `sockflow --print`
// what it sends, decoded again: there is one way to show a record.
class RecordPrinter {
 public:
  virtual ~RecordPrinter() = default;

  // Appends one line (text: a header line before the first one). Whatever a record contains, a
  // line has no line break or control character inside and is valid UTF-8.
  virtual void Print(const ipfix::RecordView& record, std::string* out) = 0;

  // Who sent the records that follow; not known at first.
  void set_exporter(const std::optional<IpAddress>& exporter) { exporter_ = exporter; }

 protected:
  std::optional<IpAddress> exporter_;
};

// One JSON object a line (RFC 8259), `{"exportTime":...,"observationDomainId":...,...}`: first
// exportTime, observationDomainId and, if it is known, exporterIPv4Address or exporterIPv6Address
// of the message, unless the record has an element of that name itself; then the fields of the
// record in their order under the names of their information elements.
// - An element that is not known is "enterprise<PEN>_id<ID>", its value hexadecimal.
// - An element that a record has several times is one key with an array, at its first place.
// - Integers are numbers, unsigned64 beyond 2^53 too: JSON sets no limit, but some readers (those
//   that keep numbers in doubles, JavaScript's among them) round there.
// - Times are ISO 8601 in UTC with the resolution of their type, addresses and MAC addresses in
//   their usual notation, octet arrays and lists hexadecimal, what does not fit its type too.
std::unique_ptr<RecordPrinter> MakeJsonPrinter();

struct TextStyle {
  bool colour = false;
  bool date = true;        // before the time of day, both local
  size_t header_every = 0;  // lines after which the header line is repeated; 0: never
};
// For a terminal: colour unless NO_COLOR is set (https://no-color.org), no date, the header again
// from time to time. For anything else: the defaults.
TextStyle TextStyleFor(int descriptor);

// One aligned line for each record of a session, an element=value line for any other record, none for
// records that explain others (types of elements, names of domains).
// The end of the session on the side of the process comes first, and the arrow says who opened it:
// `10.0.0.1:40000 -> 192.0.2.1:443` is a connect, `10.0.0.1:22 <- 192.0.2.9:50000` an accept.
// An update and an end count what came since the record before, so that columns add up. A session that was
// there before its exporter looked is "found", not started, where the record says so.
std::unique_ptr<RecordPrinter> MakeTextPrinter(const TextStyle& style);

std::unique_ptr<RecordPrinter> MakePrinter(Format format, const TextStyle& style);

}  // namespace sockflow::collector

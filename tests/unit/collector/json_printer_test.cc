// SPDX-License-Identifier: MIT
#include <random>
#include <string>

#include "collector/record_printer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "sockflow/ipfix/value.h"
#include "tests/unit/collector/record_builder.h"

namespace sockflow::collector {
namespace {

using ipfix::kIana;
using ipfix::kNtop;
using nlohmann::json;
using namespace std::string_literals;

// Prints with a printer that may have printed other things before; the line must stand alone.
std::string Line(const RecordBuilder& record, RecordPrinter& printer) {
  std::string out = "before\n";
  record.With([&](const ipfix::RecordView& view) { printer.Print(view, &out); });
  EXPECT_TRUE(out.starts_with("before\n"));
  out.erase(0, 7);
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1) << out;
  EXPECT_TRUE(out.ends_with("}\n")) << out;
  out.pop_back();
  return out;
}
std::string Line(const RecordBuilder& record) { return Line(record, *MakeJsonPrinter()); }

TEST(JsonPrinterTest, WritesOneObjectInTheOrderOfTheTemplate) {
  const RecordBuilder record = RecordBuilder()
                                   .Raw(kIana, 8, "\x0a\x00\x00\x01"s)
                                   .Number(kIana, 7, 40000, 2)
                                   .Number(kIana, 152, 1'763'717'212'345, 8)
                                   .Number(kIana, 1, 18446744073709551615u, 8)
                                   .Raw(kNtop, 169, "curl");
  EXPECT_EQ(Line(record),
            R"({"exportTime":"2025-11-21T09:26:52Z","observationDomainId":7,)"
            R"("sourceIPv4Address":"10.0.0.1","sourceTransportPort":40000,)"
            R"("flowStartMilliseconds":"2025-11-21T09:26:52.345Z",)"
            R"("octetDeltaCount":18446744073709551615,"SRC_PROC_NAME":"curl"})");
}

TEST(JsonPrinterTest, NamesTheExporterIfItIsKnown) {
  const auto printer = MakeJsonPrinter();
  const RecordBuilder record = RecordBuilder().Number(kIana, 7, 1, 2);
  EXPECT_FALSE(json::parse(Line(record, *printer)).contains("exporterIPv4Address"));
  printer->set_exporter(IpAddress::Parse("192.0.2.1"));
  EXPECT_EQ(json::parse(Line(record, *printer))["exporterIPv4Address"], "192.0.2.1");
  printer->set_exporter(IpAddress::Parse("2001:db8::1"));
  EXPECT_EQ(json::parse(Line(record, *printer))["exporterIPv6Address"], "2001:db8::1");
  EXPECT_FALSE(json::parse(Line(record, *printer)).contains("exporterIPv4Address"));
}

TEST(JsonPrinterTest, NeverRepeatsAKey) {
  const auto printer = MakeJsonPrinter();
  printer->set_exporter(IpAddress::Parse("192.0.2.1"));
  const std::string line = Line(RecordBuilder()
                                    .Number(kIana, 149, 12, 4)
                                    .Raw(kIana, 130, "\x0a\x00\x00\x09"s)
                                    .Number(kIana, 7, 1, 2)
                                    .Raw(kIana, 96, "a")
                                    .Number(kIana, 7, 2, 2)
                                    .Number(kIana, 7, 3, 1),
                                *printer);
  EXPECT_EQ(line,
            R"({"exportTime":"2025-11-21T09:26:52Z","observationDomainId":12,)"
            R"("exporterIPv4Address":"10.0.0.9","sourceTransportPort":[1,2,3],)"
            R"("applicationName":"a"})");
}

TEST(JsonPrinterTest, KeepsUnknownElementsUnderTheirNumbers) {
  const json object = json::parse(Line(
      RecordBuilder().Raw(4242, 7, "\x00\xffz"s).Raw(kIana, 32000, "").Raw(4242, 8, "\x01")));
  EXPECT_EQ(object["enterprise4242_id7"], "00ff7a");
  EXPECT_EQ(object["enterprise0_id32000"], "");
  EXPECT_EQ(object["enterprise4242_id8"], "01");
}

TEST(JsonPrinterTest, ShowsWhatDoesNotFitItsTypeInHexadecimal) {
  const json object = json::parse(Line(RecordBuilder()
                                           .Raw(kIana, 8, "\x0a\x00"s)
                                           .Raw(kIana, 7, "")
                                           .Raw(kIana, 1, "123456789")
                                           .Raw(kIana, 152, "\xff\xff\xff\xff\xff\xff\xff\xff")
                                           .Raw(kIana, 153, "\x01")
                                           .Raw(kIana, 27, "\x01")));
  EXPECT_EQ(object["sourceIPv4Address"], "0a00");
  EXPECT_EQ(object["sourceTransportPort"], "");
  EXPECT_EQ(object["octetDeltaCount"], "313233343536373839");
  EXPECT_EQ(object["flowStartMilliseconds"], "ffffffffffffffff");
  EXPECT_EQ(object["flowEndMilliseconds"], "01");
  EXPECT_EQ(object["sourceIPv6Address"], "01");
}

TEST(JsonPrinterTest, NoStringBreaksTheObject) {
  for (const std::string& hostile :
       {"\",\"SRC_PROC_PID\":1,\"x\":\""s, "a\nb"s, "\0"s + "a"s, "\x1b]0;pwned\x07"s, "\\"s,
        "\u2028\u202e"s, "\xc0\x80\xff"s, "}\r\n{"s, std::string(65000, '"')}) {
    const std::string line =
        Line(RecordBuilder().Raw(kIana, 96, hostile).Number(kNtop, 168, 42, 4));
    for (const char c : line) ASSERT_GE(static_cast<uint8_t>(c), 0x20);
    const json object = json::parse(line);
    EXPECT_EQ(object["SRC_PROC_PID"], 42);
    EXPECT_EQ(object.size(), 4u) << line;
  }
  EXPECT_EQ(json::parse(Line(RecordBuilder().Raw(kIana, 96, "a\"\n\u2028b")))["applicationName"],
            "a\"\n\u2028b");
  EXPECT_EQ(json::parse(Line(RecordBuilder().Raw(kIana, 96, "pad\0\0\0"s)))["applicationName"],
            "pad");
}

// The fast ways must say what ipfix::AppendValue says, and every value of every element must be
// JSON, whatever its octets.
TEST(JsonPrinterTest, AgreesWithTheCommonRenderingForEveryElement) {
  std::mt19937 random(7);
  const auto printer = MakeJsonPrinter();
  size_t compared = 0;
  for (const ipfix::Element& element : ipfix::AllElements()) {
    for (const size_t octets : {0, 1, 2, 3, 4, 6, 8, 16, 32}) {
      std::string value(octets, '\0');
      for (char& c : value) c = static_cast<char>(random());
      if (element.type == ipfix::Type::kDateTimeMilliseconds && octets == 8) {
        value[0] = value[1] = 0;  // within the years that Time holds
      }
      if (element.type == ipfix::Type::kString) {
        for (char& c : value) c = static_cast<char>('a' + static_cast<uint8_t>(c) % 26);
      }
      const json object =
          json::parse(Line(RecordBuilder().Raw(element.pen, element.id, value), *printer));
      const json& printed = object.at(std::string(element.name));
      std::string expected;
      const auto* begin = reinterpret_cast<const uint8_t*>(value.data());
      if (ipfix::AppendValue(&element, {begin, octets}, expected) == ipfix::ValueKind::kString) {
        ASSERT_EQ(printed, expected) << element.name << " " << octets;
      } else {
        ASSERT_EQ(printed, json::parse(expected)) << element.name << " " << octets;
        ASSERT_FALSE(printed.is_string());
      }
      ++compared;
    }
  }
  EXPECT_GE(compared, 500u * 9);
}

TEST(JsonPrinterTest, NoticesATemplateThatChangedInPlace) {
  const auto printer = MakeJsonPrinter();
  ipfix::MessageHeader header;
  ipfix::DecodedTemplate description{.id = 300, .scope_fields = 0, .fields = {}};
  const uint8_t value[] = {1, 2};
  const std::span<const uint8_t> values[] = {value};
  std::string out;
  description.fields = {{.pen = 0, .id = 7, .length = 2, .element = ipfix::FindElement(0, 7)}};
  printer->Print({header, description, values}, &out);
  description.fields = {{.pen = 0, .id = 11, .length = 2, .element = ipfix::FindElement(0, 11)}};
  printer->Print({header, description, values}, &out);
  EXPECT_THAT(out, testing::HasSubstr(R"("sourceTransportPort":258})"));
  EXPECT_THAT(out, testing::HasSubstr(R"("destinationTransportPort":258})"));
}

}  // namespace
}  // namespace sockflow::collector

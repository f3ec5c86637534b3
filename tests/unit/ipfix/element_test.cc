// SPDX-License-Identifier: MIT
#include "sockflow/ipfix/element.h"

#include <algorithm>
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "ipfix/elements.h"

namespace sockflow::ipfix {
namespace {

TEST(ElementTest, KnowsEveryElementOfTheIanaRegistry) {
  const auto count = std::ranges::count(AllElements(), kIana, &Element::pen);
  EXPECT_EQ(count, 502);
  const auto deprecated = std::ranges::count_if(AllElements(), [](const Element& e) {
    return e.pen == kIana && e.status == ElementStatus::kDeprecated;
  });
  EXPECT_EQ(deprecated, 17);
}

TEST(ElementTest, SamplesAreAsInTheRegistry) {
  const Element* octets = FindElement(kIana, 1);
  ASSERT_NE(octets, nullptr);
  EXPECT_EQ(octets->name, "octetDeltaCount");
  EXPECT_EQ(octets->type, Type::kUnsigned64);
  EXPECT_EQ(octets->semantics, Semantics::kDeltaCounter);
  EXPECT_EQ(octets->units, "octets");
  EXPECT_EQ(octets->status, ElementStatus::kCurrent);

  const Element* flags = FindElement("tcpControlBits");
  ASSERT_NE(flags, nullptr);
  EXPECT_EQ(flags->id, 6);
  EXPECT_EQ(flags->type, Type::kUnsigned16);
  EXPECT_EQ(flags->semantics, Semantics::kFlags);

  EXPECT_EQ(FindElement("applicationName")->id, 96);
  EXPECT_EQ(FindElement("applicationName")->type, Type::kString);
  EXPECT_EQ(FindElement(kIana, 209)->status, ElementStatus::kDeprecated);
  EXPECT_EQ(FindElement(kIana, 64)->status, ElementStatus::kDeprecated);
  EXPECT_EQ(FindElement("sourceIPv6Address")->type, Type::kIpv6Address);
  EXPECT_EQ(FindElement("flowStartMilliseconds")->type, Type::kDateTimeMilliseconds);
}

TEST(ElementTest, KnowsTheProcessElementsOfNtop) {
  EXPECT_EQ(FindElement(kNtop, 168)->name, "SRC_PROC_PID");
  EXPECT_EQ(FindElement("SRC_PROC_NAME")->pen, kNtop);
  EXPECT_EQ(FindElement("SRC_PROC_NAME")->id, 169);
  for (const uint16_t id : {109, 110, 123, 124, 168, 169, 372, 373, 374, 375, 376,
                            377, 378, 379, 425, 426, 540, 541, 556, 557, 558, 559}) {
    EXPECT_NE(FindElement(kNtop, id), nullptr) << id;
  }
}

TEST(ElementTest, ReverseElementsFollowRfc5103) {
  const Element* reverse = FindElement(kReverse, 1);
  ASSERT_NE(reverse, nullptr);
  EXPECT_EQ(reverse->name, "reverseOctetDeltaCount");
  EXPECT_EQ(reverse->type, Type::kUnsigned64);
  EXPECT_EQ(FindElement("reverseOctetDeltaCount"), reverse);
  EXPECT_EQ(FindElement(kReverse, 148), nullptr) << "flowId is not reversible";
  EXPECT_EQ(FindElement(kReverse, 239), nullptr) << "biflowDirection is not reversible";
}

TEST(ElementTest, UnknownIsNullptr) {
  EXPECT_EQ(FindElement(kIana, 0), nullptr);
  EXPECT_EQ(FindElement(kIana, 32767), nullptr);
  EXPECT_EQ(FindElement(kNtop, 1), nullptr);
  EXPECT_EQ(FindElement(4294967295u, 65535), nullptr);
  EXPECT_EQ(FindElement(""), nullptr);
  EXPECT_EQ(FindElement("octetDeltaCoun"), nullptr);
  EXPECT_EQ(FindElement("octetDeltaCountt"), nullptr);
}

TEST(ElementTest, IsOrderedAndEveryElementIsFoundByNumberAndByName) {
  std::set<std::string> names;
  const Element* before = nullptr;
  for (const Element& element : AllElements()) {
    EXPECT_EQ(FindElement(element.pen, element.id), &element);
    EXPECT_EQ(FindElement(element.name), &element);
    EXPECT_TRUE(names.insert(std::string(element.name)).second) << element.name;
    if (before != nullptr) {
      EXPECT_LT(std::pair(before->pen, before->id), std::pair(element.pen, element.id));
    }
    before = &element;
  }
}

TEST(ElementTest, LengthsAreLegalAsRfc7011Section6Says) {
  EXPECT_TRUE(IsLegalLength(Type::kUnsigned64, 8));
  EXPECT_TRUE(IsLegalLength(Type::kUnsigned64, 1));
  EXPECT_FALSE(IsLegalLength(Type::kUnsigned64, 9));
  EXPECT_FALSE(IsLegalLength(Type::kUnsigned64, 0));
  EXPECT_FALSE(IsLegalLength(Type::kUnsigned64, kVariableLength));
  EXPECT_TRUE(IsLegalLength(Type::kUnsigned16, 1));
  EXPECT_TRUE(IsLegalLength(Type::kFloat64, 4));
  EXPECT_FALSE(IsLegalLength(Type::kFloat32, 2));
  EXPECT_FALSE(IsLegalLength(Type::kDateTimeMilliseconds, 4));
  EXPECT_FALSE(IsLegalLength(Type::kIpv4Address, 3));
  EXPECT_TRUE(IsLegalLength(Type::kString, kVariableLength));
  EXPECT_TRUE(IsLegalLength(Type::kString, 16));
  EXPECT_FALSE(IsLegalLength(Type::kBoolean, 4));
}

TEST(ElementTest, NamesTypesAsTheRegistryDoes) {
  EXPECT_EQ(ToString(Type::kOctetArray), "octetArray");
  EXPECT_EQ(ToString(Type::kDateTimeNanoseconds), "dateTimeNanoseconds");
  EXPECT_EQ(ToString(Type::kUnsigned256), "unsigned256");
  EXPECT_EQ(ToString(Semantics::kDeltaCounter), "deltaCounter");
  EXPECT_EQ(ToString(Semantics::kSnmpGauge), "snmpGauge");
  EXPECT_EQ(ToString(ElementStatus::kDeprecated), "deprecated");
  EXPECT_EQ(NativeLength(Type::kMacAddress), 6);
  EXPECT_EQ(NativeLength(Type::kIpv6Address), 16);
  EXPECT_EQ(NativeLength(Type::kString), kVariableLength);
}

}  // namespace
}  // namespace sockflow::ipfix

// SPDX-License-Identifier: MIT
#include "health/exposition.h"

#include "gtest/gtest.h"

namespace sockflow::health {
namespace {

TEST(ExpositionTest, EachFamilyOnceWithItsSamples) {
  Exposition out;
  out.Counter("a_total", "What a is.");
  out.Add({{"kind", "x"}, {"tier", "y"}}, uint64_t{18446744073709551615u});
  out.Add({{"kind", "z"}}, uint64_t{0});
  out.Gauge("b_seconds", "What b is.");
  out.Add({}, 0.25);
  out.Gauge("c", "What c is.");
  out.Add(7);
  EXPECT_EQ(out.text(),
            "# HELP a_total What a is.\n# TYPE a_total counter\n"
            "a_total{kind=\"x\",tier=\"y\"} 18446744073709551615\na_total{kind=\"z\"} 0\n"
            "# HELP b_seconds What b is.\n# TYPE b_seconds gauge\nb_seconds 0.25\n"
            "# HELP c What c is.\n# TYPE c gauge\nc 7\n");
}

TEST(ExpositionTest, LabelsHoldAnyOctets) {
  Exposition out;
  out.Gauge("g", "G.");
  out.Add({{"l", "file:/a\"b\\c\nd\xff\xc3\xa9"}}, uint64_t{1});
  EXPECT_NE(out.text().find("g{l=\"file:/a\\\"b\\\\c\\nd\xef\xbf\xbd\xc3\xa9\"} 1\n"), std::string::npos)
      << out.text();
}

}  // namespace
}  // namespace sockflow::health

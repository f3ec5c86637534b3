// SPDX-License-Identifier: MIT
#include "enrich/kubernetes/json_splitter.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sockflow::kubernetes {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Cut = JsonSplitter::Cut;

struct Result {
  absl::Status status;
  std::vector<std::string> objects;
  bool complete = false;
  std::string envelope;
  uint64_t left_out = 0;
};

// In pieces of so many octets.
Result Split(Cut cut, std::string_view text, size_t piece) {
  JsonSplitter splitter(cut);
  Result result;
  while (!text.empty() && result.status.ok()) {
    result.status = splitter.Push(text.substr(0, piece), [&](std::string_view object) {
      result.objects.emplace_back(object);
    });
    text.remove_prefix(std::min(piece, text.size()));
  }
  result.complete = splitter.complete();
  result.envelope = splitter.envelope();
  result.left_out = splitter.TakeLeftOut();
  return result;
}

TEST(JsonSplitterTest, EventsWhereverTheyAreCut) {
  const std::string text = "{\"a\":{\"b\":[1,{}]}}\n{\"s\":\"}{\\\"]\\\\\"}\r\n\n{}";
  for (const size_t piece : {1, 2, 3, 7, 1000}) {
    const Result result = Split(Cut::kObjects, text, piece);
    EXPECT_TRUE(result.status.ok()) << result.status;
    EXPECT_THAT(result.objects, ElementsAre("{\"a\":{\"b\":[1,{}]}}", "{\"s\":\"}{\\\"]\\\\\"}", "{}")) << piece;
    EXPECT_TRUE(result.complete);
  }
}

TEST(JsonSplitterTest, ItemsOfAListWhereverTheyAreCut) {
  const std::string text =
      "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"1\",\"x\":{\"y\":[{\"z\":1}]}},\n"
      " \"items\": [ {\"a\":[{\"b\":\"],\"}]}, {} ,{\"c\":1}], \"after\": {\"d\": 1}}";
  for (const size_t piece : {1, 2, 5, 1000}) {
    const Result result = Split(Cut::kItems, text, piece);
    EXPECT_TRUE(result.status.ok()) << result.status;
    EXPECT_THAT(result.objects, ElementsAre("{\"a\":[{\"b\":\"],\"}]}", "{}", "{\"c\":1}")) << piece;
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.envelope,
              "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"1\",\"x\":{\"y\":[{\"z\":1}]}},\n"
              " \"items\": [   ], \"after\": {\"d\": 1}}");
  }
}

TEST(JsonSplitterTest, WhatIsCutShortIsNotComplete) {
  const std::string list = "{\"items\":[{\"a\":1}]}";
  for (size_t length = 0; length < list.size(); ++length) {
    EXPECT_FALSE(Split(Cut::kItems, list.substr(0, length), 100).complete) << length;
  }
  EXPECT_TRUE(Split(Cut::kItems, list, 100).complete);
  EXPECT_FALSE(Split(Cut::kObjects, "{}{\"a", 100).complete);
}

TEST(JsonSplitterTest, NonsenseIsNoJson) {
  for (const std::string text : {"<html>", "[1]", "\"{}\"", "} {", "\x16\x03\x01"}) {
    EXPECT_FALSE(Split(Cut::kObjects, text, 1).status.ok()) << text;
    EXPECT_FALSE(Split(Cut::kItems, text, 1).status.ok()) << text;
  }
  EXPECT_FALSE(Split(Cut::kItems, "{} {}", 1).status.ok()) << "one list is all";
  EXPECT_THAT(Split(Cut::kItems, "{\"items\":[1,\"{\",[{}]]}", 1).objects, IsEmpty());
}

TEST(JsonSplitterTest, TooLongOrTooDeepIsLeftOutAndTheNextOneIsWhole) {
  const std::string longest = "{\"a\":\"" + std::string(JsonSplitter::kLongestObject, 'x') + "\"}";
  const std::string deepest =
      "{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  Result result = Split(Cut::kObjects, longest + "\n{\"b\":1}\n" + deepest + "{\"c\":1}", 4096);
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_THAT(result.objects, ElementsAre("{\"b\":1}", "{\"c\":1}"));
  EXPECT_EQ(result.left_out, 2u);
  result = Split(Cut::kItems, "{\"items\":[" + longest + ",{\"b\":1}," + deepest + "]}", 4096);
  EXPECT_THAT(result.objects, ElementsAre("{\"b\":1}"));
  EXPECT_EQ(result.left_out, 2u);
  EXPECT_TRUE(result.complete);
}

TEST(JsonSplitterTest, TheHeadOfAListIsBounded) {
  EXPECT_FALSE(Split(Cut::kItems, "{\"a\":\"" + std::string(JsonSplitter::kLongestObject, 'x'), 4096).status.ok());
  EXPECT_FALSE(Split(Cut::kItems, "{\"a\":{" + std::string(1000, '['), 4096).status.ok());
}

}  // namespace
}  // namespace sockflow::kubernetes

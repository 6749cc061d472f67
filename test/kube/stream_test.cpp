#include "common/kube/stream.h"

#include <vector>

#include "test/catch.h"

namespace holdfast::kube {
namespace {

using Texts = std::vector<std::string>;

// What a splitter hands out when it gets `text` in pieces of `size` bytes.
template <class Splitter>
Texts taken(std::string_view text, std::size_t size, std::string* envelope = nullptr) {
  Texts out;
  Splitter splitter(100, [&](std::string_view one) {
    out.emplace_back(one);
    return Status{};
  });
  for (std::size_t at = 0; at < text.size(); at += size) {
    REQUIRE(splitter.push(text.substr(at, size)));
  }
  if constexpr (std::is_same_v<Splitter, ItemSplitter>) {
    *envelope = splitter.envelope().value();
  }
  return out;
}

template <class Splitter>
std::string refusal(std::string_view text) {
  Splitter splitter(100, [](std::string_view) { return Status{}; });
  const Status pushed = splitter.push(text);
  return pushed ? "" : pushed.error().message;
}

TEST_CASE("a stream's lines are the same however it is cut", "[kube]") {
  for (const std::size_t size : {1U, 2U, 3U, 100U}) {
    CHECK(taken<LineSplitter>("one\n\ntwo\nthr", size) == Texts{"one", "two"});
  }
}

TEST_CASE("a line without end is refused before it fills the memory", "[kube]") {
  CHECK(refusal<LineSplitter>(std::string(100, 'x') + "\n").empty());
  CHECK(refusal<LineSplitter>(std::string(101, 'x')) == "a line of the watch is longer than 100 bytes");
}

TEST_CASE("a list's items are handed out one by one, however it is cut, and the rest is its envelope",
          "[kube]") {
  const std::string text =
      "{\"kind\": \"L\", \"a\": {\"items\": [1]}, \"b\": \"items\", \"c\": [2], "
      "\"items\": [ {\"x\": \"],}\\\"\"} , {\"y\":[1,{}]},\n{} ], \"metadata\": {\"v\": \"7\"}}\n";
  for (const std::size_t size : {1U, 7U, 1000U}) {
    std::string envelope;
    CHECK(taken<ItemSplitter>(text, size, &envelope) == Texts{R"({"x":"],}\""})", R"({"y":[1,{}]})", "{}"});
    CHECK(envelope ==
          R"({"kind":"L","a":{"items":[1]},"b":"items","c":[2],"items":[],"metadata":{"v":"7"}})");
  }
  std::string envelope;
  CHECK(taken<ItemSplitter>(R"({"items":[]})", 1, &envelope).empty());
  CHECK(taken<ItemSplitter>(R"({"items":null})", 1, &envelope).empty());
}

TEST_CASE("what is no list, or too long, is refused", "[kube]") {
  CHECK(refusal<ItemSplitter>("404 page not found") == "the list is not one JSON object");
  CHECK(refusal<ItemSplitter>("{}{}") == "the list is not one JSON object");
  CHECK(refusal<ItemSplitter>("[]") == "the list is not one JSON object");
  CHECK(refusal<ItemSplitter>("{\"items\":[\"" + std::string(100, 'x')) ==
        "an object of the list is longer than 100 bytes");
  CHECK(refusal<ItemSplitter>("{\"a\":\"" + std::string(100, 'x')) ==
        "the list without its objects is longer than 100 bytes");
  ItemSplitter cut(100, [](std::string_view) { return Status{}; });
  REQUIRE(cut.push("{\"items\":[{}"));
  CHECK_FALSE(cut.envelope());
}

TEST_CASE("after an error of its taker a splitter hands out nothing more", "[kube]") {
  int taken_count = 0;
  const auto refuse = [&](std::string_view) {
    ++taken_count;
    return Status(fail(Code::kDataLoss, "no"));
  };
  LineSplitter lines(100, refuse);
  CHECK_FALSE(lines.push("a\nb\n"));
  ItemSplitter items(100, refuse);
  CHECK_FALSE(items.push(R"({"items":[{},{}]})"));
  CHECK(taken_count == 2);
}

}  // namespace
}  // namespace holdfast::kube

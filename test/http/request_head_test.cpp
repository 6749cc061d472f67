#include "common/http/request_head.h"

#include "test/catch.h"

namespace holdfast::http {
namespace {

TEST_CASE("A head is whole at its empty line, and not before", "[http]") {
  const std::string text = "GET /readyz?verbose&x=1 HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto head = parse_request_head(text.substr(0, size));
    REQUIRE(head.has_value());
    CHECK_FALSE(head->has_value());
  }
  CHECK(parse_request_head(text + "body") == std::optional(RequestHead{"GET", "/readyz", "verbose&x=1"}));
  CHECK(parse_request_head("HEAD / HTTP/1.0\n\n") == std::optional(RequestHead{"HEAD", "/", ""}));
}

TEST_CASE("What is no request is refused", "[http]") {
  for (const char* line :
       {"", "GET", "GET /", "GET / HTTP/2.0", "get / HTTP/1.1", "GET  / HTTP/1.1", "GET x HTTP/1.1",
        "GET http://a/ HTTP/1.1", "GET /\x01 HTTP/1.1", "GET / HTTP/1.1 x", " GET / HTTP/1.1"}) {
    INFO(line);
    const auto head = parse_request_head(std::string(line) + "\r\n\r\n");
    REQUIRE_FALSE(head.has_value());
    CHECK(head.error().code == Code::kInvalidArgument);
  }
}

TEST_CASE("A head without end is refused at its limit", "[http]") {
  const std::string long_head = "GET / HTTP/1.1\r\nA: " + std::string(kMaxHeadBytes, 'a');
  CHECK_FALSE(parse_request_head(std::string_view(long_head).substr(0, kMaxHeadBytes - 1))->has_value());
  CHECK(parse_request_head(std::string_view(long_head).substr(0, kMaxHeadBytes)).error().code ==
        Code::kResourceExhausted);
}

TEST_CASE("A parameter is found with and without a value", "[http]") {
  CHECK(has_parameter("verbose", "verbose"));
  CHECK(has_parameter("a=1&verbose=&b", "verbose"));
  CHECK_FALSE(has_parameter("a=verbose&verbosely", "verbose"));
  CHECK_FALSE(has_parameter("", "verbose"));
}

}  // namespace
}  // namespace holdfast::http

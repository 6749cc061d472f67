#include "common/kube/object.h"

#include <nlohmann/json.hpp>

#include "common/base/json.h"
#include "test/catch.h"

namespace holdfast::kube {
namespace {

TEST_CASE("paths name groups, namespaces, objects and subresources, escaped", "[kube]") {
  const Resource nodes{.version = "v1", .plural = "nodes"};
  CHECK(nodes.path() == "/api/v1/nodes");
  CHECK(nodes.path("../a b", "status") == "/api/v1/nodes/..%2Fa%20b/status");
  const Resource leases{
      .group = "coordination.k8s.io", .version = "v1", .plural = "leases", .name_space = "kube-system"};
  CHECK(leases.path("x") == "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x");
}

TEST_CASE("a part of an object's name is what a server takes for one", "[kube]") {
  for (const char* good : {"a", "0", "pvc-1", "a--b"}) CHECK(is_name_part(good));
  for (const char* bad : {"", "-a", "a-", "A", "a.b", "a_b", "a/b", "\xc3\xa4"})
    CHECK_FALSE(is_name_part(bad));
}

TEST_CASE("a code is known by its name, and no other word is one", "[kube]") {
  for (const Code code : {Code::kCancelled, Code::kAborted, Code::kDataLoss}) {
    CHECK(parse_code(to_string(code)) == code);
  }
  for (const char* word : {"", "OK", "aborted"}) CHECK_FALSE(parse_code(word));
}

TEST_CASE("only what is kept of an object is decoded, and what tells it from others", "[kube]") {
  const std::string text =
      R"({"kind":"Node","metadata":{"name":"a","uid":"u","resourceVersion":"7","labels":{"l":"1"},
    "managedFields":[{"f:spec":{"spec":1}},{"spec":2}],"annotations":{"b":"2"}},"spec":{"podCIDR":"c","podCIDRs":["c",{"d":1}],
    "other":[{"podCIDR":"x"}]},"status":{"images":[{"names":["i"]}]}})";
  const auto object = parse_object(text, {"spec.podCIDRs", "metadata.annotations"}).value();
  CHECK(dump_json(object) ==
        R"({"kind":"Node","metadata":{"annotations":{"b":"2"},"name":"a","resourceVersion":"7",)"
        R"("uid":"u"},"spec":{"podCIDRs":["c",{"d":1}]}})");
  CHECK(id_of(object).value() ==
        ObjectId{.name = "a", .name_space = "", .uid = "u", .resource_version = "7"});
}

TEST_CASE("what is no object is refused", "[kube]") {
  for (const char* text : {"", "{", "[]", "null", R"({"metadata":{"name":"a")", "{}x"}) {
    const auto object = parse_object(text, {});
    REQUIRE_FALSE(object);
    CHECK(object.error().code == Code::kDataLoss);
  }
  CHECK_FALSE(id_of(parse_object("{}", {}).value()));
}

TEST_CASE("versions compare as numbers, and what is none with nothing", "[kube]") {
  CHECK(version_number("217") == 217);
  for (const char* text : {"", "0", "-1", "1a", " 1", "99999999999999999999999"}) {
    CHECK(version_number(text) == std::nullopt);
  }
}

TEST_CASE("a failure says what the server said, with the code that fits", "[kube]") {
  struct Case {
    int status;
    const char* body;
    Code code;
    const char* message;
  };
  const Case cases[] = {
      {404, "404 page not found\n", Code::kNotFound, "404: 404 page not found"},
      {409, R"({"kind":"Status","reason":"Conflict","message":"modified"})", Code::kAborted,
       "409 Conflict: modified"},
      {409, R"({"kind":"Status","reason":"AlreadyExists","message":"there"})", Code::kAlreadyExists,
       "409 AlreadyExists: there"},
      {410, R"({"kind":"Status","reason":"Expired","message":"too old"})", Code::kOutOfRange,
       "410 Expired: too old"},
      {429, "", Code::kResourceExhausted, "429: "},
      {503, "down", Code::kUnavailable, "503: down"},
      {403, "{}", Code::kPermissionDenied, "403: {}"},
      {422, "{", Code::kInvalidArgument, "422: {"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.message) {
      const Error error = error_of_answer(c.status, c.body);
      CHECK(error.code == c.code);
      CHECK(error.message == c.message);
    }
  }
}

}  // namespace
}  // namespace holdfast::kube

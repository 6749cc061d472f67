#include "cni-flannel/plugin/cni_error.h"

#include "test/catch.h"

namespace holdfast::cni {

TEST_CASE("our own errors reach the runtime as 100 + code unless the spec has a number", "[cni]") {
  const Error error{Code::kResourceExhausted, 0, "no address left"};
  CHECK(to_cni(error) == CniError{static_cast<CniCode>(108), "no address left", ""});
  CHECK(to_cni(error, CniCode::kTryAgainLater) == CniError{CniCode::kTryAgainLater, "no address left", ""});
  const CniResult<int> failed =
      to_cni(Result<int>(fail(Code::kInvalidArgument, "bad")), CniCode::kInvalidConfig);
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().code == CniCode::kInvalidConfig);
  CHECK(to_cni(Result<int>(7)) == 7);
}

TEST_CASE("the error object has version, code and message, and details when there are any", "[cni]") {
  CHECK(to_json({CniCode::kInvalidConfig, "a \"b\"", ""}, "0.4.0") ==
        R"({"cniVersion":"0.4.0","code":7,"msg":"a \"b\""})");
  CHECK(to_json({CniCode::kIo, "m", "d"}, "1.1.0") ==
        R"({"cniVersion":"1.1.0","code":5,"details":"d","msg":"m"})");
  CHECK(to_json({CniCode::kIo, "\xff", ""}, "1.1.0") ==
        "{\"cniVersion\":\"1.1.0\",\"code\":5,\"msg\":\"\xEF\xBF\xBD\"}");
}

TEST_CASE("a delegate's error object is read, and only that is one", "[cni]") {
  CHECK(parse_error(R"({"cniVersion":"0.3.1","code":42,"msg":"m","details":"d"})") ==
        CniError{static_cast<CniCode>(42), "m", "d"});
  CHECK(parse_error(R"({"code":0,"msg":"m"})") == CniError{CniCode::kInternal, "m", ""});
  for (const char* text : {"", "{}", "[]", "panic: oops", R"({"code":"1","msg":"m"})", R"({"code":1})",
                           R"({"code":1,"msg":2})", R"({"code":-1,"msg":"m"})"}) {
    DYNAMIC_SECTION(text) { CHECK_FALSE(parse_error(text).has_value()); }
  }
  CHECK(parse_error(R"({"code":99999999999,"msg":"m"})") == CniError{CniCode::kInternal, "m", ""});
}

}  // namespace holdfast::cni

#include "common/base/first_error.h"

#include "test/catch.h"

namespace holdfast {
namespace {

TEST_CASE("The first error is kept and the others are counted", "[result]") {
  FirstError errors;
  errors.add({});
  CHECK(errors.result().has_value());
  errors.add(fail(Code::kNotFound, "no such link"));
  CHECK(errors.result().error().message == "no such link");
  errors.add(fail(Code::kInternal, "disk"));
  errors.add({});
  errors.add(fail(Code::kInternal, "more"));
  CHECK(errors.result().error().message == "no such link (and 2 more)");
  CHECK(errors.result().error().code == Code::kNotFound);
}

}  // namespace
}  // namespace holdfast

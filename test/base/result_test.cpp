#include "common/base/result.h"

#include <cerrno>

#include "test/catch.h"

namespace holdfast {
namespace {

TEST_CASE("a code's number and name are gRPC's", "[result]") {
  CHECK(static_cast<int>(Code::kInvalidArgument) == 3);
  CHECK(static_cast<int>(Code::kDataLoss) == 15);
  CHECK(to_string(Code::kInvalidArgument) == "INVALID_ARGUMENT");
  CHECK(to_string(Code::kDataLoss) == "DATA_LOSS");
}

TEST_CASE("a failed system call is told with its errno and the code that fits", "[result]") {
  struct Case {
    int sys_errno;
    Code code;
    const char* message;
  };
  const Case cases[] = {
      {ENOENT, Code::kNotFound, "open x: No such file or directory"},
      {EEXIST, Code::kAlreadyExists, "open x: File exists"},
      {ENOSPC, Code::kResourceExhausted, "open x: No space left on device"},
      {EDQUOT, Code::kResourceExhausted, "open x: Disk quota exceeded"},
      {EROFS, Code::kPermissionDenied, "open x: Read-only file system"},
      {EINVAL, Code::kInvalidArgument, "open x: Invalid argument"},
      {EAGAIN, Code::kUnavailable, "open x: Resource temporarily unavailable"},
      {ETIMEDOUT, Code::kDeadlineExceeded, "open x: Connection timed out"},
      {EIO, Code::kDataLoss, "open x: Input/output error"},
      {EOPNOTSUPP, Code::kUnimplemented, "open x: Operation not supported"},
      {ENETUNREACH, Code::kInternal, "open x: Network is unreachable"},
      {4095, Code::kInternal, "open x: errno 4095"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.message) {
      const Status failed = fail_errno(c.sys_errno, "open x");
      REQUIRE_FALSE(failed);
      CHECK(failed.error().code == c.code);
      CHECK(failed.error().sys_errno == c.sys_errno);
      CHECK(failed.error().message == c.message);
    }
  }
}

Result<int> half_of(int number) {
  if (number % 2 != 0) {
    return fail(Code::kOutOfRange, std::to_string(number) + " is odd");
  }
  return number / 2;
}

Result<int> quarter_of(int number) {
  HOLDFAST_TRY(const int half, half_of(number));
  HOLDFAST_TRY(const int quarter, half_of(half));
  return quarter;
}

Status check_quarter(int number) {
  HOLDFAST_CHECK(quarter_of(number));
  return {};
}

TEST_CASE("TRY and CHECK hand the first error on and go on otherwise", "[result]") {
  CHECK(quarter_of(8).value() == 2);
  CHECK(quarter_of(6).error().message == "3 is odd");
  CHECK(check_quarter(8));
  CHECK(check_quarter(6).error().code == Code::kOutOfRange);
}

TEST_CASE("within puts the outer context first and keeps the rest", "[result]") {
  const Error outer = Error{Code::kNotFound, ENOENT, "inner"}.within("outer");
  CHECK(outer.message == "outer: inner");
  CHECK(outer.code == Code::kNotFound);
  CHECK(outer.sys_errno == ENOENT);
}

}  // namespace
}  // namespace holdfast

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace holdfast {

/// Why an operation failed. The values equal grpc::StatusCode, so that a gRPC
/// service converts with one cast; common/ itself does not link gRPC.
/// Source: https://grpc.github.io/grpc/core/md_doc_statuscodes.html
enum class Code : std::uint8_t {
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
};

/// The code's name as gRPC spells it, "INVALID_ARGUMENT".
[[nodiscard]] std::string_view to_string(Code code);

/// One failure, told outermost context first: "add route 10.42.1.0/24: Network is unreachable".
struct Error {
  Code code = Code::kInternal;
  int sys_errno = 0;  ///< positive errno, or 0 when no system call failed
  std::string message;

  /// The same failure seen from one level further out: "<what>: <message>".
  [[nodiscard]] Error within(std::string_view what) &&;
};

/// A value or an Error. Unlike tl::expected it may not be dropped unread.
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};
using Status = Result<void>;

[[nodiscard]] tl::unexpected<Error> fail(Code code, std::string message);

/// A failed system call: "<what>: <strerror(sys_errno)>", with the Code that fits the errno
/// (ENOENT kNotFound, EEXIST kAlreadyExists, ENOSPC/EDQUOT/ENOMEM kResourceExhausted, EPERM/EACCES/EROFS
/// kPermissionDenied, EINVAL kInvalidArgument, EBUSY/EAGAIN kUnavailable, ETIMEDOUT kDeadlineExceeded,
/// EIO kDataLoss, EOPNOTSUPP/ENOSYS kUnimplemented, else kInternal).
[[nodiscard]] tl::unexpected<Error> fail_errno(int sys_errno, std::string_view what);

}  // namespace holdfast

#define HOLDFAST_CONCAT_INNER_(a, b) a##b
#define HOLDFAST_CONCAT_(a, b) HOLDFAST_CONCAT_INNER_(a, b)
#define HOLDFAST_TRY_(decl, expr, tmp)                     \
  auto tmp = (expr);                                       \
  if (!tmp) return tl::unexpected(std::move(tmp).error()); \
  decl = *std::move(tmp)

/// Leaves the function with the error of `expr`, else binds its value to `decl`.
/// Two statements, not an expression: never the unbraced body of an if.
#define HOLDFAST_TRY(decl, expr) HOLDFAST_TRY_(decl, expr, HOLDFAST_CONCAT_(holdfast_try_, __LINE__))

/// Leaves the function with the error of the Status `expr`, if it has one.
#define HOLDFAST_CHECK(expr)                                     \
  do {                                                           \
    if (auto holdfast_status = (expr); !holdfast_status) {       \
      return tl::unexpected(std::move(holdfast_status).error()); \
    }                                                            \
  } while (false)

#include "common/base/result.h"

#include <cerrno>
#include <cstring>

namespace holdfast {
namespace {

Code code_of_errno(int sys_errno) {
  switch (sys_errno) {
    case ENOENT:
      return Code::kNotFound;
    case EEXIST:
      return Code::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
      return Code::kResourceExhausted;
    case EPERM:
    case EACCES:
    case EROFS:
      return Code::kPermissionDenied;
    case EINVAL:
      return Code::kInvalidArgument;
    case EBUSY:
    case EAGAIN:
      return Code::kUnavailable;
    case ETIMEDOUT:
      return Code::kDeadlineExceeded;
    case EIO:
      return Code::kDataLoss;
    case EOPNOTSUPP:
    case ENOSYS:
      return Code::kUnimplemented;
    default:
      return Code::kInternal;
  }
}

// strerror(3) without its static buffer, so that any thread may fail.
std::string text_of_errno(int sys_errno) {
  const char* text = ::strerrordesc_np(sys_errno);
  return text != nullptr ? text : "errno " + std::to_string(sys_errno);
}

}  // namespace

std::string_view to_string(Code code) {
  switch (code) {
    case Code::kCancelled:
      return "CANCELLED";
    case Code::kUnknown:
      return "UNKNOWN";
    case Code::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case Code::kDeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    case Code::kNotFound:
      return "NOT_FOUND";
    case Code::kAlreadyExists:
      return "ALREADY_EXISTS";
    case Code::kPermissionDenied:
      return "PERMISSION_DENIED";
    case Code::kResourceExhausted:
      return "RESOURCE_EXHAUSTED";
    case Code::kFailedPrecondition:
      return "FAILED_PRECONDITION";
    case Code::kAborted:
      return "ABORTED";
    case Code::kOutOfRange:
      return "OUT_OF_RANGE";
    case Code::kUnimplemented:
      return "UNIMPLEMENTED";
    case Code::kInternal:
      return "INTERNAL";
    case Code::kUnavailable:
      return "UNAVAILABLE";
    case Code::kDataLoss:
      return "DATA_LOSS";
  }
  return "UNKNOWN";
}

Error Error::within(std::string_view what) && {
  std::string outer(what);
  outer += ": ";
  message.insert(0, outer);
  return std::move(*this);
}

tl::unexpected<Error> fail(Code code, std::string message) {
  return tl::unexpected<Error>(Error{code, 0, std::move(message)});
}

tl::unexpected<Error> fail_errno(int sys_errno, std::string_view what) {
  std::string message(what);
  message += ": ";
  message += text_of_errno(sys_errno);
  return tl::unexpected<Error>(Error{code_of_errno(sys_errno), sys_errno, std::move(message)});
}

}  // namespace holdfast

#include "common/cloud/call_error.h"

#include <algorithm>
#include <array>
#include <utility>

namespace holdfast::cloud {
namespace {

struct Word {
  std::string_view part;  // of a code
  Refusal refusal;
};

// The first that is in a code decides. Source: the error codes of Alibaba's ECS and NAS and of Tencent's CBS.
constexpr std::array kWords{
    Word{"InvalidDiskCategory", Refusal::kInvalid},
    Word{"InvalidDiskSize", Refusal::kInvalid},
    Word{"InvalidDataDisk", Refusal::kInvalid},
    Word{"InvalidParameterValue", Refusal::kInvalid},
    Word{"DiskConfigNotSupported", Refusal::kInvalid},
    Word{"ZoneNotMatch", Refusal::kInvalid},
    Word{"Arrear", Refusal::kArrears},
    Word{"InsufficientBalance", Refusal::kArrears},
    Word{"NotEnoughBalance", Refusal::kArrears},
    Word{"InvalidAccount", Refusal::kArrears},
    Word{"Account.", Refusal::kArrears},
    Word{"InvalidRegionId", Refusal::kDenied},
    Word{"UnsupportedRegion", Refusal::kDenied},
    Word{"InvalidApi", Refusal::kDenied},
    Word{"InvalidVersion", Refusal::kDenied},
    Word{"NoSuchVersion", Refusal::kDenied},
    Word{"InvalidAction", Refusal::kDenied},
    Word{"InvalidProduct", Refusal::kDenied},
    Word{"NoSuchProduct", Refusal::kDenied},
    Word{"InvalidEndpoint", Refusal::kDenied},
    Word{"InvalidAccessKeyId", Refusal::kDenied},
    Word{"InvalidSecurityToken", Refusal::kDenied},
    Word{"SignatureDoesNotMatch", Refusal::kDenied},
    Word{"InvalidTimeStamp", Refusal::kDenied},
    Word{"IllegalTimestamp", Refusal::kDenied},
    Word{"AuthFailure", Refusal::kDenied},
    Word{"Forbidden", Refusal::kDenied},
    Word{"NoPermission", Refusal::kDenied},
    Word{"UnauthorizedOperation", Refusal::kDenied},
    Word{"Unauthorized", Refusal::kDenied},
    Word{"Quota", Refusal::kQuota},
    Word{"LimitExceed", Refusal::kQuota},
    Word{"ExceedLimit", Refusal::kQuota},
    Word{"NoStock", Refusal::kQuota},
    Word{"NotOnSale", Refusal::kQuota},
    Word{"SoldOut", Refusal::kQuota},
    Word{"OutOfStock", Refusal::kQuota},
    Word{"ResourceInsufficient", Refusal::kQuota},
    Word{"InsufficientResource", Refusal::kQuota},
    Word{"NotSupported", Refusal::kQuota},
    Word{"NotAvailable", Refusal::kQuota},
    Word{"AlreadyExist", Refusal::kExists},
    Word{"Duplicate", Refusal::kExists},
    Word{"InUse", Refusal::kInUse},
    Word{"ResourceBusy", Refusal::kInUse},
    Word{"IncorrectDiskStatus", Refusal::kInUse},
    Word{"InvalidDisk.Busy", Refusal::kInUse},
    Word{"DiskDetachingFromThisEcs", Refusal::kInUse},
    Word{"DiskCreatingSnapshot", Refusal::kInUse},
    Word{"SnapshotCreating", Refusal::kInUse},
    Word{"SnapshotCreatedDisk", Refusal::kInUse},
    Word{"InvalidOperation.Conflict", Refusal::kInUse},
    Word{"IncorrectInstanceStatus", Refusal::kInUse},
    Word{"InvalidFileSystemStatus", Refusal::kInUse},
    Word{"OperationConflict", Refusal::kInUse},
    Word{"ResourceUnavailable", Refusal::kInUse},
};

Code code_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kInvalid:
      return Code::kInvalidArgument;
    case Refusal::kQuota:
      return Code::kResourceExhausted;
    case Refusal::kInUse:
      return Code::kFailedPrecondition;
    case Refusal::kExists:
      return Code::kAlreadyExists;
    case Refusal::kDenied:
    case Refusal::kArrears:
      return Code::kUnavailable;
  }
  return Code::kInternal;
}

Code code_of(const CallError& error) {
  switch (error.end) {
    case CallEnd::kRefused:
      return code_of(refusal_of(error.code));
    case CallEnd::kNoSuchThing:
      return Code::kNotFound;
    case CallEnd::kUnknownOutcome:
      return Code::kAborted;
    case CallEnd::kThrottled:
    case CallEnd::kNotSent:
      return Code::kUnavailable;
  }
  return Code::kInternal;
}

}  // namespace

std::string_view to_string(CallEnd end) {
  constexpr std::array<std::string_view, 5> kNames{"refused", "throttled", "no such thing", "unknown outcome",
                                                   "not sent"};
  return kNames.at(static_cast<std::size_t>(end));
}

CallError CallError::within(std::string_view what) && {
  message.insert(0, std::string(what) + ": ");
  return std::move(*this);
}

tl::unexpected<CallError> ends(CallEnd end, std::string message, std::string code) {
  return tl::unexpected(CallError{.end = end, .code = std::move(code), .message = std::move(message)});
}

Refusal refusal_of(std::string_view code) {
  const auto* const found = std::ranges::find_if(
      kWords, [code](const Word& word) { return code.find(word.part) != std::string_view::npos; });
  return found == kWords.end() ? Refusal::kInvalid : found->refusal;
}

Error to_error(CallError error) {
  const Code code = code_of(error);
  std::string message = std::move(error.message);
  if (!error.code.empty() && message.find(error.code) == std::string::npos)
    message += " (" + error.code + ")";
  return Error{.code = code, .sys_errno = 0, .message = std::move(message)};
}

}  // namespace holdfast::cloud

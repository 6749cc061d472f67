#pragma once

#include <chrono>
#include <string>

#include "common/base/result.h"
#include "csi-nas/volumes/nas_source.h"

namespace holdfast::nas {

/// Where the controller has shares mounted. Never blocks longer than it is told, whatever a server does.
/// Thread-safe.
class ShareAccess {
 public:
  ShareAccess() = default;
  ShareAccess(const ShareAccess&) = delete;
  ShareAccess& operator=(const ShareAccess&) = delete;
  virtual ~ShareAccess() = default;

  /// The folder in which the root of the share (the first of `source.shares`, with its options) is mounted;
  /// it stays so at least until another share is asked for after the caller's work has ended. Errors:
  /// kUnavailable when the server does not answer within `patience`; kNotFound, kPermissionDenied and others
  /// when it refuses.
  virtual Result<std::string> mounted_at(const NasSource& source, std::chrono::milliseconds patience) = 0;
  /// The address of the server of the first of `source.shares`, as it was found last; looked up within
  /// `patience` when it was not before. Empty: it is not known. "10.0.0.5"
  [[nodiscard]] virtual std::string address_of(const NasSource& source,
                                               std::chrono::milliseconds patience) = 0;
  /// Whether the server of the first of `source.shares` answered when it was last asked; true of one that was
  /// never asked. Does not wait.
  [[nodiscard]] virtual bool answers(const NasSource& source) = 0;
};

}  // namespace holdfast::nas

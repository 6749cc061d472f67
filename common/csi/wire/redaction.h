#pragma once

#include <cstddef>
#include <string>

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace holdfast::csi {

inline constexpr std::size_t kMaxLoggedBytes = 4096;

/// A message as one line of text for the log. What a field marked csi_secret holds stands there as "***",
/// keys of maps excepted; so do mount flags, which may hold passwords. At most kMaxLoggedBytes.
[[nodiscard]] std::string loggable(const google::protobuf::Message& message);

}  // namespace holdfast::csi

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/base/result.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace holdfast::csi {

/// What a text may hold.
enum class Text : std::uint8_t {
  kAny,         ///< whatever a proto3 string may
  kName,        ///< no control characters but white space
  kId,          ///< no control characters
  kPath,        ///< absolute, without "..", and no control characters
  kVolumePath,  ///< a path; at one that is relative no volume is, which is not found and not wrong
};

/// A rule of one field. A repeated field that is required has an element, a map an entry, a message is there.
struct FieldRule {
  std::string_view message;  ///< without the package, "CreateVolumeRequest"
  std::string_view field;
  bool required = false;
  Text text = Text::kAny;       ///< of a text, or of each of repeated ones
  std::size_t max_bytes = 128;  ///< of a text
};

/// What every text and map has to keep to, unless its rule says otherwise.
inline constexpr std::size_t kMaxTextBytes = 128;
inline constexpr std::size_t kMaxMapBytes = 4096;  ///< keys and values together; also of all mount flags
inline constexpr std::size_t kMaxPathBytes = 4095;

[[nodiscard]] std::span<const FieldRule> field_rules();

/// What depends on the driver.
struct Validation {
  bool stages = false;  ///< it has STAGE_UNSTAGE_VOLUME: publishing needs the staging path
};

/// Whether a request, any message of csi.v1, is what the specification lets a caller send. Looks at the
/// message alone. Errors: kInvalidArgument naming the field ("volume_capabilities[0].access_mode: ..."),
/// kOutOfRange for a capacity limit below what is required, kNotFound for a relative volume path, and
/// kFailedPrecondition for a staging path that is missing. Never shows the content of a secret.
/// Source: CSI specification, "Size Limits", "Error Scheme", and each message.
[[nodiscard]] Status validate(const google::protobuf::Message& request, const Validation& options);

}  // namespace holdfast::csi

#pragma once

#include <cstdint>
#include <google/protobuf/message.h>
#include <memory>
#include <string>

namespace holdfast::csi::test {

/// Which member of a oneof is set.
enum class Choice : std::uint8_t { kFirst, kLast };

/// A request of csi.v1 by its name ("CreateVolumeRequest") with every field set to something valid, also in
/// the messages that it holds. Secrets hold "topsecret" under "password".
[[nodiscard]] std::unique_ptr<google::protobuf::Message> valid_request(const std::string& name,
                                                                       Choice choice = Choice::kLast);

inline constexpr const char* kSecret = "topsecret";

}  // namespace holdfast::csi::test

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::nas {

/// The call that does nothing, which every NFS server answers, whoever asks: procedure 0 of program 100003,
/// as one record of a stream, without credentials. Sources: RFC 5531 (messages, record marking), RFC 1813.
[[nodiscard]] std::string null_call(std::uint32_t id);

enum class NullReply : std::uint8_t {
  kIncomplete,  ///< more bytes are to come
  kAnswered,    ///< NFS is served there; also when it does not know the version or the credentials
  kOther,       ///< something else came: no answer to this call, or a server without NFS
};

/// What the bytes since the call are.
[[nodiscard]] NullReply read_null_reply(std::string_view bytes, std::uint32_t id);

}  // namespace holdfast::nas

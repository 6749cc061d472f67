#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// Calls of ONC RPC as records of a stream, without credentials, and their answers. Source: RFC 5531.
namespace holdfast::nas {

struct RpcCall {
  std::uint32_t id = 0;
  std::uint32_t program = 0;
  std::uint32_t version = 0;
  std::uint32_t procedure = 0;
};

[[nodiscard]] std::string write_rpc_call(const RpcCall& call, std::span<const std::uint32_t> arguments = {});

struct RpcReply {
  enum class Kind : std::uint8_t {
    kIncomplete,  ///< more bytes are to come
    kOther,       ///< something else came: no answer to this call
    kDenied,      ///< the server does not take such calls: credentials, version of RPC
    kAccepted,
  };
  Kind kind = Kind::kOther;
  std::uint32_t acceptance = 0;  ///< when accepted: kRpcSuccess, or why nothing was done
  std::string_view results;      ///< of the bytes that were read
};

inline constexpr std::uint32_t kRpcSuccess = 0;
inline constexpr std::uint32_t kRpcNoSuchProgram = 1;

/// What the bytes since the call are. A reply in more than one fragment, or of more than 1 KiB, is kOther.
[[nodiscard]] RpcReply read_rpc_reply(std::string_view bytes, std::uint32_t id);

/// The word at `index`, counted in words; there are enough bytes.
[[nodiscard]] std::uint32_t rpc_word(std::string_view bytes, std::size_t index);

inline constexpr std::size_t kRpcWordBytes = 4;

}  // namespace holdfast::nas

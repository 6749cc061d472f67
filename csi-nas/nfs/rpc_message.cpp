#include "csi-nas/nfs/rpc_message.h"

#include <cstddef>

namespace holdfast::nas {
namespace {

constexpr std::uint32_t kLastFragment = 0x80000000;
constexpr std::uint32_t kCall = 0;
constexpr std::uint32_t kReply = 1;
constexpr std::uint32_t kRpcVersion = 2;
constexpr std::uint32_t kNoCredentials = 0;
constexpr std::uint32_t kAccepted = 0;
constexpr std::uint32_t kMostReplyBytes = 1024;
constexpr std::size_t kHeadWords = 10;  // of a call

void append_word(std::uint32_t word, std::string& out) {
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>((word >> shift) & 0xff);
}

// A whole reply without its mark: id, type, status, verifier (flavour, length, body), acceptance, results.
RpcReply judge(std::string_view reply, std::uint32_t id) {
  constexpr std::size_t kLeastWords = 3;
  RpcReply out;
  if (reply.size() < kLeastWords * kRpcWordBytes) return out;
  if (rpc_word(reply, 0) != id || rpc_word(reply, 1) != kReply) return out;
  if (rpc_word(reply, 2) != kAccepted) {
    out.kind = RpcReply::Kind::kDenied;
    return out;
  }
  constexpr std::size_t kVerifierLength = 4;
  if (reply.size() < (kVerifierLength + 1) * kRpcWordBytes) return out;
  const std::size_t verifier_words = (rpc_word(reply, kVerifierLength) + kRpcWordBytes - 1) / kRpcWordBytes;
  const std::size_t acceptance = kVerifierLength + 1 + verifier_words;
  if (reply.size() < (acceptance + 1) * kRpcWordBytes) return out;
  out.kind = RpcReply::Kind::kAccepted;
  out.acceptance = rpc_word(reply, acceptance);
  out.results = reply.substr((acceptance + 1) * kRpcWordBytes);
  return out;
}

}  // namespace

std::uint32_t rpc_word(std::string_view bytes, std::size_t index) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < kRpcWordBytes; ++i) {
    word = (word << 8) | static_cast<unsigned char>(bytes[index * kRpcWordBytes + i]);
  }
  return word;
}

std::string write_rpc_call(const RpcCall& call, std::span<const std::uint32_t> arguments) {
  std::string out;
  const auto bytes = static_cast<std::uint32_t>((kHeadWords + arguments.size()) * kRpcWordBytes);
  for (const std::uint32_t word :
       {kLastFragment | bytes, call.id, kCall, kRpcVersion, call.program, call.version, call.procedure,
        kNoCredentials, std::uint32_t{0}, kNoCredentials, std::uint32_t{0}}) {
    append_word(word, out);
  }
  for (const std::uint32_t word : arguments) append_word(word, out);
  return out;
}

RpcReply read_rpc_reply(std::string_view bytes, std::uint32_t id) {
  RpcReply incomplete;
  incomplete.kind = RpcReply::Kind::kIncomplete;
  if (bytes.size() < kRpcWordBytes) return incomplete;
  const std::uint32_t mark = rpc_word(bytes, 0);
  const std::uint32_t length = mark & ~kLastFragment;
  if ((mark & kLastFragment) == 0 || length > kMostReplyBytes) return {};
  const std::string_view reply = bytes.substr(kRpcWordBytes);
  if (reply.size() < length) return incomplete;
  return judge(reply.substr(0, length), id);
}

}  // namespace holdfast::nas

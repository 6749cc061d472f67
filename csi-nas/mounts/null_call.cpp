#include "csi-nas/mounts/null_call.h"

#include <cstddef>
#include <initializer_list>

namespace holdfast::nas {
namespace {

constexpr std::uint32_t kLastFragment = 0x80000000;
constexpr std::uint32_t kCall = 0;
constexpr std::uint32_t kReply = 1;
constexpr std::uint32_t kRpcVersion = 2;
constexpr std::uint32_t kNfsProgram = 100003;
constexpr std::uint32_t kNfsVersion = 3;  // a server of version 4 alone answers that it does not know it
constexpr std::uint32_t kNullProcedure = 0;
constexpr std::uint32_t kNoCredentials = 0;
constexpr std::uint32_t kAccepted = 0;
constexpr std::uint32_t kNoSuchProgram = 1;
constexpr std::size_t kWordBytes = 4;
constexpr std::uint32_t kMostReplyBytes = 1024;

void append_word(std::uint32_t word, std::string& out) {
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>((word >> shift) & 0xff);
}

// `index` counts words; there are enough.
std::uint32_t word_at(std::string_view bytes, std::size_t index) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < kWordBytes; ++i) {
    word = (word << 8) | static_cast<unsigned char>(bytes[index * kWordBytes + i]);
  }
  return word;
}

// A whole reply without its mark: id, type, status, verifier (flavour, length, body), acceptance.
NullReply judge(std::string_view reply, std::uint32_t id) {
  constexpr std::size_t kLeastWords = 3;
  if (reply.size() < kLeastWords * kWordBytes) return NullReply::kOther;
  if (word_at(reply, 0) != id || word_at(reply, 1) != kReply) return NullReply::kOther;
  if (word_at(reply, 2) != kAccepted) return NullReply::kAnswered;
  constexpr std::size_t kVerifierLength = 4;
  if (reply.size() < (kVerifierLength + 1) * kWordBytes) return NullReply::kOther;
  const std::size_t verifier_words = (word_at(reply, kVerifierLength) + kWordBytes - 1) / kWordBytes;
  const std::size_t acceptance = kVerifierLength + 1 + verifier_words;
  if (reply.size() < (acceptance + 1) * kWordBytes) return NullReply::kOther;
  return word_at(reply, acceptance) == kNoSuchProgram ? NullReply::kOther : NullReply::kAnswered;
}

}  // namespace

std::string null_call(std::uint32_t id) {
  constexpr std::uint32_t kBodyBytes = 40;
  std::string out;
  for (const std::uint32_t word :
       {kLastFragment | kBodyBytes, id, kCall, kRpcVersion, kNfsProgram, kNfsVersion, kNullProcedure,
        kNoCredentials, std::uint32_t{0}, kNoCredentials, std::uint32_t{0}}) {
    append_word(word, out);
  }
  return out;
}

NullReply read_null_reply(std::string_view bytes, std::uint32_t id) {
  if (bytes.size() < kWordBytes) return NullReply::kIncomplete;
  const std::uint32_t mark = word_at(bytes, 0);
  const std::uint32_t length = mark & ~kLastFragment;
  if ((mark & kLastFragment) == 0 || length > kMostReplyBytes) return NullReply::kOther;
  const std::string_view reply = bytes.substr(kWordBytes);
  if (reply.size() < length) return NullReply::kIncomplete;
  return judge(reply.substr(0, length), id);
}

}  // namespace holdfast::nas

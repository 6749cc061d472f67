#include "csi-nas/nfs/child_messages.h"

#include <charconv>
#include <cstdint>

#include "common/base/text.h"

namespace holdfast::nas {
namespace {

constexpr std::size_t kMostShownBytes = 200;
constexpr int kLeastCode = 1;
constexpr int kMostCode = 15;

template <class Number>
bool parse(std::string_view text, Number& out) {
  const char* end = text.data() + text.size();
  return std::from_chars(text.data(), end, out).ptr == end && !text.empty();
}

}  // namespace

Result<std::string> write_words(std::span<const std::string> words) {
  std::string message;
  for (const std::string& word : words) {
    if (word.find('\0') != std::string::npos) {
      return fail(Code::kInvalidArgument, "'" + printable(word, kMostShownBytes) + "' holds a zero byte");
    }
    message += word;
    message += '\0';
  }
  if (!message.empty() && message.size() <= kMostMessageBytes) return message;
  return fail(Code::kInvalidArgument, "a call of " + std::to_string(message.size()) + " bytes is none");
}

std::vector<std::string> read_words(std::string_view message) {
  std::vector<std::string> words;
  while (!message.empty()) words.emplace_back(take_until(message, '\0'));
  return words;
}

std::string write_answer(const Result<std::string>& done) {
  if (done) return "ok\n" + *done;
  const Error& error = done.error();
  std::string answer = std::to_string(static_cast<int>(error.code)) + " " + std::to_string(error.sys_errno) +
                       "\n" + error.message;
  if (answer.size() > kMostMessageBytes) answer.resize(kMostMessageBytes);
  return answer;
}

Result<std::string> read_answer(std::string_view answer, std::string_view verb) {
  std::string_view rest = answer;
  std::string_view head = take_until(rest, '\n');
  if (head == "ok") return std::string(rest);
  int code = 0;
  Error error;
  if (!parse(take_until(head, ' '), code) || code < kLeastCode || code > kMostCode ||
      !parse(head, error.sys_errno)) {
    return fail(Code::kUnavailable, "nascmd " + std::string(verb) + " ended without an answer: '" +
                                        printable(answer, kMostShownBytes) + "'");
  }
  error.code = static_cast<Code>(code);
  error.message = rest;
  return tl::unexpected(std::move(error));
}

std::string write_usage(const block::VolumeUsage& usage) {
  std::string out;
  for (const std::uint64_t number : {usage.total_bytes, usage.available_bytes, usage.used_bytes,
                                     usage.total_inodes, usage.available_inodes, usage.used_inodes}) {
    out.append(out.empty() ? "" : " ").append(std::to_string(number));
  }
  return out;
}

Result<block::VolumeUsage> read_usage(std::string_view text) {
  block::VolumeUsage usage;
  std::string_view rest = text;
  bool good = true;
  for (std::uint64_t* const number : {&usage.total_bytes, &usage.available_bytes, &usage.used_bytes,
                                      &usage.total_inodes, &usage.available_inodes, &usage.used_inodes}) {
    good = good && parse(take_until(rest, ' '), *number);
  }
  if (good && rest.empty()) return usage;
  return fail(Code::kInternal, "nascmd look: '" + printable(text, kMostShownBytes) + "' is not a usage");
}

}  // namespace holdfast::nas

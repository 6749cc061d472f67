#include "csi-nas/directories/directory_order.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "common/base/text.h"
#include "csi-nas/directories/share_volumes.h"

namespace holdfast::nas {
namespace {

constexpr std::array kVerbs{
    std::pair{DirectoryVerb::kMake, std::string_view("make")},
    std::pair{DirectoryVerb::kCopy, std::string_view("copy")},
    std::pair{DirectoryVerb::kArchive, std::string_view("archive")},
    std::pair{DirectoryVerb::kRetain, std::string_view("retain")},
    std::pair{DirectoryVerb::kRemove, std::string_view("remove")},
};
constexpr mode_t kMostMode = 07777;
constexpr int kOctal = 8;
constexpr std::size_t kShown = 200;

using Text = std::pair<std::string_view, std::string DirectoryOrder::*>;
constexpr std::array<Text, 6> kTexts{
    Text{"mounted-at", &DirectoryOrder::mounted_at}, Text{"directory", &DirectoryOrder::directory},
    Text{"owner", &DirectoryOrder::owner},           Text{"source", &DirectoryOrder::source},
    Text{"stamp", &DirectoryOrder::stamp},           Text{"holder", &DirectoryOrder::holder},
};
using Flag = std::pair<std::string_view, bool DirectoryOrder::*>;
constexpr std::array<Flag, 4> kFlags{
    Flag{"mounted", &DirectoryOrder::mounted}, Flag{"holds-volumes", &DirectoryOrder::holds_volumes},
    Flag{"snapshot", &DirectoryOrder::snapshot}, Flag{"from-snapshot", &DirectoryOrder::from_snapshot}};

std::string word(std::string_view key, std::string_view value) {
  std::string out(key);
  out += '=';
  out += value;
  return out;
}

std::string octal(mode_t mode) {
  std::array<char, 16> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), mode, kOctal).ptr;
  return {text.data(), end};
}

// Whether the word is one that is known, with a value that it may have.
bool take_word(std::string_view text, DirectoryOrder& order) {
  const std::string_view key = take_until(text, '=');
  for (const auto& [name, member] : kTexts) {
    if (name == key) order.*member = text;
    if (name == key) return true;
  }
  for (const auto& [name, member] : kFlags) {
    if (name == key) order.*member = text == "true";
    if (name == key) return text == "true" || text == "false";
  }
  if (key == "mode") {
    mode_t mode = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, kOctal);
    order.mode = mode;
    return error == std::errc() && end == text.data() + text.size() && mode <= kMostMode;
  }
  const auto* const verb = std::ranges::find(kVerbs, text, [](const auto& each) { return each.second; });
  if (key != "verb" || verb == kVerbs.end()) return false;
  order.verb = verb->first;
  return true;
}

Result<RelativePath> path_of(const std::string& text, bool snapshot) {
  if (snapshot) return RelativePath::of_snapshot(text);
  return RelativePath::parse(text);
}

}  // namespace

std::string_view to_string(DirectoryVerb verb) {
  return std::ranges::find(kVerbs, verb, [](const auto& each) { return each.first; })->second;
}

std::vector<std::string> to_words(const DirectoryOrder& order) {
  std::vector<std::string> words{word("verb", to_string(order.verb))};
  for (const auto& [name, member] : kTexts) {
    if (!(order.*member).empty()) words.push_back(word(name, order.*member));
  }
  for (const auto& [name, member] : kFlags) {
    if (order.*member) words.push_back(word(name, "true"));
  }
  if (order.mode) words.push_back(word("mode", octal(*order.mode)));
  return words;
}

Result<DirectoryOrder> parse_words(std::span<const std::string> words) {
  DirectoryOrder order;
  for (const std::string& each : words) {
    if (!take_word(each, order)) {
      return fail(Code::kInvalidArgument, "the word '" + printable(each, kShown) + "' is not understood");
    }
  }
  return order;
}

Result<std::string> carry_out(const DirectoryOrder& order, Progress& progress, const ProgressSink& sink) {
  if (order.owner.empty()) return fail(Code::kInvalidArgument, "the directory's owner is not told");
  HOLDFAST_TRY(RelativePath directory, path_of(order.directory, order.snapshot));
  const VolumeDirectory volume{.directory = std::move(directory), .owner = order.owner};
  HOLDFAST_TRY(const ShareRoot root, ShareRoot::open(order.mounted_at));
  if (order.mounted && !root.is_mount()) {
    return fail(Code::kUnavailable, "the share is no longer mounted at " + order.mounted_at);
  }
  if (order.holds_volumes) HOLDFAST_CHECK(check_holds_volumes(root));
  ShareVolumes volumes(root, order.holder, [&](const Progress& now) {
    progress = now;
    if (sink) sink(now);
  });
  switch (order.verb) {
    case DirectoryVerb::kMake:
      HOLDFAST_CHECK(volumes.make(volume, order.mode.value_or(kOpenMode)));
      break;
    case DirectoryVerb::kCopy: {
      HOLDFAST_TRY(const RelativePath source, path_of(order.source, order.from_snapshot));
      HOLDFAST_CHECK(volumes.copy(volume, source.text(), order.mode));
      break;
    }
    case DirectoryVerb::kArchive:
      return volumes.archive(volume, order.stamp);
    case DirectoryVerb::kRetain:
      HOLDFAST_CHECK(volumes.retain(volume));
      break;
    case DirectoryVerb::kRemove:
      HOLDFAST_CHECK(volumes.remove(volume));
      break;
  }
  progress = volumes.progress();
  return std::string();
}

}  // namespace holdfast::nas

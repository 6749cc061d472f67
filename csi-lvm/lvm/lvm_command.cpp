#include "csi-lvm/lvm/lvm_command.h"

#include <algorithm>
#include <array>
#include <span>

namespace holdfast::lvm {
namespace {

constexpr std::size_t kLongestName = 127;  // NAME_LEN of LVM less its NUL
constexpr std::size_t kLongestTag = 1024;
constexpr std::string_view kNameCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-";
constexpr std::string_view kTagCharacters = "/=!:&#";
constexpr std::string_view kWordCharacters = "/=!:&#,@%";
constexpr std::string_view kSettings = "--config";

constexpr std::array<std::string_view, 2> kReservedPrefixes{"snapshot", "pvmove"};
constexpr std::array<std::string_view, 17> kReservedParts{
    "_cdata",   "_cmeta",  "_corig", "_cpool",   "_cvol",  "_iorig", "_imeta", "_mimage", "_mlog",
    "_pmspare", "_rimage", "_rmeta", "_vorigin", "_vdata", "_tdata", "_tmeta", "_wcorig"};

bool only_of(std::string_view text, std::string_view more) {
  return std::ranges::all_of(text, [more](char c) {
    return kNameCharacters.find(c) != std::string_view::npos || more.find(c) != std::string_view::npos;
  });
}

std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

tl::unexpected<Error> refuse(std::string_view what, std::string_view value, std::string_view why) {
  return fail(Code::kInvalidArgument, std::string(what) + " " + in_quotes(value) + " " + std::string(why));
}

// What device-mapper makes of it: a hyphen of a name is doubled, so that a single one can part the two names.
std::size_t length_in_device_name(std::string_view name) {
  return name.size() + static_cast<std::size_t>(std::ranges::count(name, '-'));
}

}  // namespace

Status check_command(const LvmCommand& command) {
  if (command.words.empty()) return fail(Code::kInvalidArgument, "an LVM command without a verb");
  if (command.words.size() > kMostLvmWords) {
    return fail(Code::kInvalidArgument, "an LVM command of " + std::to_string(command.words.size()) +
                                            " words; liblvm2cmd takes no more than " +
                                            std::to_string(kMostLvmWords));
  }
  for (std::size_t i = 0; i < command.words.size(); ++i) {
    const bool settings = i > 0 && command.words[i - 1] == kSettings;
    const std::string_view word = command.words[i];
    if (word.empty() || !only_of(word, settings ? "/=!:&#,@% []" : kWordCharacters)) {
      return refuse("LVM command " + command.words[0] + ": the word", word,
                    "holds characters that LVM would take apart");
    }
  }
  return {};
}

bool may_join(const LvmCommand& command, const LvmCommand& other) {
  const auto but_last = [](const LvmCommand& each) {
    return std::span(each.words).first(each.words.size() - 1);
  };
  return command.joins && other.joins && command.effect == other.effect &&
         std::ranges::equal(but_last(command), but_last(other));
}

std::string to_line(const LvmCommand& command) {
  std::string line;
  for (const std::string& word : command.words) {
    const bool blanks = word.find(' ') != std::string::npos;
    line += line.empty() ? "" : " ";
    line += blanks ? '"' + word + '"' : word;
  }
  return line;
}

Status check_name(std::string_view name) {
  if (name.empty() || name == "." || name == "..") return refuse("the name", name, "is no name for LVM");
  if (name.size() > kLongestName) {
    return refuse("the name", name, "is longer than LVM's " + std::to_string(kLongestName) + " characters");
  }
  if (name.front() == '-' || !only_of(name, "")) {
    return refuse("the name", name, "must be of [a-zA-Z0-9+_.-] and not begin with a hyphen");
  }
  const auto begins = [name](std::string_view prefix) { return name.starts_with(prefix); };
  const auto holds = [name](std::string_view part) { return name.find(part) != std::string_view::npos; };
  if (std::ranges::any_of(kReservedPrefixes, begins) || std::ranges::any_of(kReservedParts, holds)) {
    return refuse("the name", name, "is one that LVM keeps for volumes of its own");
  }
  return {};
}

Status check_volume_name(std::string_view group, std::string_view volume) {
  HOLDFAST_CHECK(check_name(group));
  HOLDFAST_CHECK(check_name(volume));
  if (length_in_device_name(group) + 1 + length_in_device_name(volume) > kLongestName) {
    return refuse("the name", volume,
                  "is too long in the group " + in_quotes(group) + ": device-mapper has room for " +
                      std::to_string(kLongestName) + " bytes, where hyphens count twice");
  }
  return {};
}

Status check_tag(std::string_view tag) {
  if (tag.empty() || tag.size() > kLongestTag || tag.front() == '-' || !only_of(tag, kTagCharacters)) {
    return refuse("the tag", tag, "must be 1..1024 characters of [a-zA-Z0-9+_.-/=!:&#], the first no hyphen");
  }
  return {};
}

Status check_device_path(std::string_view path) {
  const bool walks = path.find("/..") != std::string_view::npos || path.find("//") != std::string_view::npos;
  if (!path.starts_with("/dev/") || path.ends_with('/') || walks || !only_of(path, "/:,=@")) {
    return refuse("the device", path, "must be a plain path below /dev");
  }
  return {};
}

}  // namespace holdfast::lvm

#include "common/block/format_decision.h"

#include <strings.h>

#include <utility>

namespace holdfast::block {
namespace {

using Kind = Provenance::Kind;

constexpr std::string_view kFormattedPrefix = "formatted:";

bool is_ext(std::string_view type) { return type == "ext2" || type == "ext3" || type == "ext4"; }

Refuse refuse(const FormatQuestion& asked, std::string_view why, bool abnormal = false) {
  std::string text = "volume " + asked.volume;
  text += " is not formatted: its device " + describe(asked.content);
  text += ", ";
  text += why;
  text += "; if all that is on it may be lost, run on its node: holdfast volume allow-format " +
          asked.device + " --lose-content";
  return {Error{Code::kFailedPrecondition, 0, std::move(text)}, abnormal};
}

// A volume that holds, or should hold, somebody's data.
Refuse refuse_mount(const FormatQuestion& asked, std::string_view why, bool abnormal) {
  std::string text = "volume " + asked.volume + " is not mounted: its device " + describe(asked.content);
  text += ", ";
  text += why;
  return {Error{Code::kFailedPrecondition, 0, std::move(text)}, abnormal};
}

FormatDecision format_unless_read_only(const FormatQuestion& asked) {
  if (asked.read_only) return refuse_mount(asked, "and a read-only volume is not formatted", false);
  return Format{};
}

FormatDecision decide_on(const FormatQuestion& asked, const Unreadable& bad) {
  return Refuse{Error{Code::kUnavailable, bad.sys_errno,
                      "volume " + asked.volume + ": its device " + describe(asked.content)},
                true};
}

FormatDecision decide_on(const FormatQuestion& asked, const Blank& blank) {
  switch (asked.provenance.kind) {
    case Kind::kNew:
    case Kind::kFormatting:
      return format_unless_read_only(asked);
    case Kind::kFormatted:
      return refuse_mount(
          asked, "but we formatted it with uuid " + asked.provenance.uuid + ": its data is gone, restore it",
          true);
    case Kind::kMaybe:
    case Kind::kNone:
      break;
  }
  if (asked.read_only) return format_unless_read_only(asked);
  if (!asked.format_if_blank)
    return refuse_mount(asked, "and formatIfBlank is false: run mkfs on it, or say otherwise", false);
  if (blank.throughout) return Format{};
  return NeedWholeDeviceProof{};
}

FormatDecision decide_on(const FormatQuestion& asked, const Signature& found) {
  const std::optional<std::string> type = mountable_as(asked.fs_type, found.type);
  switch (asked.provenance.kind) {
    case Kind::kNew:
      return refuse(asked, "but it should be new and blank");
    case Kind::kFormatting:
      if (type) return format_unless_read_only(asked);
      return refuse(asked, "which its formatting as " + asked.fs_type + " cannot have left");
    case Kind::kFormatted:
      if (!type) return refuse_mount(asked, "but " + asked.fs_type + " is wanted", true);
      if (::strcasecmp(found.uuid.c_str(), asked.provenance.uuid.c_str()) != 0) {
        return refuse_mount(asked, "but we formatted it with uuid " + asked.provenance.uuid, true);
      }
      return Mount{*type};
    case Kind::kMaybe:
    case Kind::kNone:
      break;
  }
  if (!type) return refuse(asked, "but " + asked.fs_type + " is wanted");
  return Mount{*type};
}

FormatDecision decide_on(const FormatQuestion& asked, const HoldsData&) {
  switch (asked.provenance.kind) {
    case Kind::kNew:
      return refuse(asked, "but it should be new and blank");
    case Kind::kFormatting:
      return format_unless_read_only(asked);
    case Kind::kFormatted:
      return refuse_mount(asked,
                          "but we formatted it with uuid " + asked.provenance.uuid +
                              ": its superblock is damaged (e2fsck -b or xfs_repair may mend it)",
                          true);
    case Kind::kMaybe:
    case Kind::kNone:
      break;
  }
  return refuse(asked, "and nobody knows whose that is");
}

}  // namespace

bool is_unused(const Provenance& provenance) {
  return provenance.kind == Kind::kNew || provenance.kind == Kind::kFormatting;
}

std::string to_string(const Provenance& provenance) {
  switch (provenance.kind) {
    case Kind::kNew:
      return "new";
    case Kind::kFormatting:
      return "formatting";
    case Kind::kFormatted:
      return std::string(kFormattedPrefix) + provenance.uuid;
    case Kind::kMaybe:
      return "maybe";
    case Kind::kNone:
      break;
  }
  return {};
}

Provenance parse_provenance(std::string_view text) {
  if (text.empty()) return {Kind::kNone, {}};
  if (text == "new") return {Kind::kNew, {}};
  if (text == "formatting") return {Kind::kFormatting, {}};
  if (text.starts_with(kFormattedPrefix) && text.size() > kFormattedPrefix.size()) {
    return {Kind::kFormatted, std::string(text.substr(kFormattedPrefix.size()))};
  }
  return {Kind::kMaybe, {}};
}

std::optional<std::string> mountable_as(std::string_view wanted, std::string_view found) {
  // The kernel's ext4 mounts all three; each by its own name keeps it what it is.
  const bool fits = wanted == found || (is_ext(wanted) && is_ext(found));
  return fits ? std::optional(std::string(found)) : std::nullopt;
}

FormatDecision decide_format(const FormatQuestion& question) {
  return std::visit([&](const auto& content) { return decide_on(question, content); }, question.content);
}

}  // namespace holdfast::block

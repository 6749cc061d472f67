#include "csi-lvm/volumes/parameters.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <functional>
#include <limits>
#include <string_view>
#include <utility>

#include "common/base/text.h"
#include "common/block/mkfs_options.h"
#include "csi-lvm/lvm/lvm_command.h"

namespace holdfast::lvm {
namespace {

constexpr std::uint64_t kSmallestStripe = 4096;
constexpr std::uint64_t kLargestStripe = std::uint64_t{1} << 30;  // more than any group's extents
constexpr std::size_t kMostTags = 8;  // a command has room for so many beside the driver's (kMostLvmWords)
constexpr std::array<std::pair<std::string_view, Wipe>, 3> kWipes{
    {{"none", Wipe::kNone}, {"discard", Wipe::kDiscard}, {"zero", Wipe::kZero}}};
constexpr std::string_view kOthersPrefix = "csi.storage.k8s.io/";
constexpr std::string_view kFsTypeOfKubernetes = "csi.storage.k8s.io/fstype";

tl::unexpected<Error> refuse(std::string_view key, const std::string& value, std::string_view why) {
  return fail(Code::kInvalidArgument,
              "the parameter " + std::string(key) + ": '" + value + "' " + std::string(why));
}

Result<std::uint64_t> parse_count(std::string_view key, const std::string& value, std::uint64_t most) {
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
  if (error != std::errc{} || end != value.data() + value.size() || count == 0 || count > most) {
    return refuse(key, value, "is no number from 1 to " + std::to_string(most));
  }
  return count;
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::string_view word = trim(take_until(text, ','));
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

Status take_group(Parameters& parameters, const std::string& value) {
  HOLDFAST_CHECK(check_name(value));
  parameters.group = value;
  return {};
}

Status take_volume_type(Parameters& /*parameters*/, const std::string& value) {
  if (value == "LVM") return {};
  return refuse("volumeType", value, "is not supported: csi-lvm makes volumes of LVM only");
}

Status take_lvm_type(Parameters& parameters, const std::string& value) {
  if (value == "linear") return {};
  if (value != "striping") return refuse("lvmType", value, "must be linear or striping");
  if (parameters.stripes == 1) parameters.stripes = 0;
  return {};
}

Status take_stripes(Parameters& parameters, const std::string& value) {
  constexpr std::uint64_t kMostStripes = 128;  // lvcreate(8), --stripes
  HOLDFAST_TRY(const std::uint64_t stripes, parse_count("stripes", value, kMostStripes));
  parameters.stripes = static_cast<std::uint32_t>(stripes);
  return {};
}

Status take_stripe_size(Parameters& parameters, const std::string& value) {
  HOLDFAST_TRY(parameters.stripe_bytes, parse_bytes(value));
  const bool in_bounds =
      parameters.stripe_bytes >= kSmallestStripe && parameters.stripe_bytes <= kLargestStripe;
  if (!in_bounds || !std::has_single_bit(parameters.stripe_bytes)) {
    return refuse("stripeSize", value, "must be a power of two from 4Ki to 1Gi");
  }
  return {};
}

Status take_pool(Parameters& parameters, const std::string& value) {
  HOLDFAST_CHECK(check_name(value));
  parameters.pool = value;
  return {};
}

Status take_pool_size(Parameters& parameters, const std::string& value) {
  HOLDFAST_TRY(parameters.pool_bytes, parse_bytes(value));
  if (parameters.pool_bytes == 0) return refuse("thinPoolSize", value, "leaves a pool no room");
  return {};
}

Status take_fs_type(Parameters& parameters, const std::string& value) {
  if (value.empty()) return {};
  if (value != "ext4" && value != "ext3" && value != "xfs") {
    return refuse("fsType", value, "must be ext4, ext3 or xfs");
  }
  parameters.fs_type = value;
  return {};
}

Status take_mkfs_options(Parameters& parameters, const std::string& value) {
  parameters.mkfs_options = block::split_words(value);
  return {};
}

Status take_encrypted(Parameters& parameters, const std::string& value) {
  parameters.encrypted = is_true(value);
  return {};
}

Status take_tags(Parameters& parameters, const std::string& value) {
  parameters.tags = split_at_commas(value);
  if (parameters.tags.size() > kMostTags) {
    return fail(Code::kInvalidArgument, "the parameter lvTags: has " +
                                            std::to_string(parameters.tags.size()) +
                                            " tags, and there may be " + std::to_string(kMostTags));
  }
  for (const std::string& each : parameters.tags) {
    HOLDFAST_CHECK(check_tag(each));
    if (each.starts_with("csi.")) return refuse("lvTags", value, "may not begin with csi., the driver's own");
  }
  return {};
}

Status take_wipe(Parameters& parameters, const std::string& value) {
  HOLDFAST_TRY(parameters.wipe, parse_wipe(value));
  return {};
}

Status skip(Parameters& /*parameters*/, const std::string& /*value*/) { return {}; }

using Take = Status (*)(Parameters&, const std::string&);
// In the order of their taking: stripes before what it overrules.
constexpr std::array<std::pair<std::string_view, Take>, 15> kKeys{{{"vgName", take_group},
                                                                   {"volumeType", take_volume_type},
                                                                   {"stripes", take_stripes},
                                                                   {"lvmType", take_lvm_type},
                                                                   {"stripeSize", take_stripe_size},
                                                                   {"thinPool", take_pool},
                                                                   {"thinPoolSize", take_pool_size},
                                                                   {"thinProvision", skip},
                                                                   {"fsType", take_fs_type},
                                                                   {kFsTypeOfKubernetes, take_fs_type},
                                                                   {"mkfsOptions", take_mkfs_options},
                                                                   {"encrypted", take_encrypted},
                                                                   {"lvTags", take_tags},
                                                                   {"wipeOnDelete", take_wipe},
                                                                   {"pvType", skip}}};

Status refuse_unknown_keys(const std::map<std::string, std::string>& given) {
  for (const auto& [key, value] : given) {
    const auto is_key = [&key = key](const auto& known) { return known.first == key; };
    if (key.starts_with(kOthersPrefix) || key == "nodeAffinity" || std::ranges::any_of(kKeys, is_key))
      continue;
    std::string message = "there is no parameter " + key + " of csi-lvm; there are:";
    for (const auto& [name, take] : kKeys) {
      if (name != kFsTypeOfKubernetes) message.append(" ").append(name);
    }
    return fail(Code::kInvalidArgument, std::move(message));
  }
  return {};
}

Status check_whole(const Parameters& parameters, const std::map<std::string, std::string>& given) {
  if (parameters.group.empty()) {
    return fail(Code::kInvalidArgument,
                "the parameter vgName is missing: the volume group to make volumes in");
  }
  const auto thin = given.find("thinProvision");
  if (thin != given.end() && is_true(thin->second) && parameters.pool.empty()) {
    return fail(Code::kInvalidArgument,
                "the parameter thinProvision needs thinPool, the pool to make volumes in");
  }
  if (parameters.pool_bytes > 0 && parameters.pool.empty()) {
    return fail(Code::kInvalidArgument, "the parameter thinPoolSize needs thinPool, the pool's name");
  }
  if (!parameters.pool.empty() && parameters.stripes != 1) {
    return fail(Code::kInvalidArgument,
                "a thin volume has no stripes of its own: leave out lvmType and stripes, or thinPool");
  }
  return {};
}

}  // namespace

std::string_view to_string(Wipe wipe) {
  return std::ranges::find(kWipes, wipe, &std::pair<std::string_view, Wipe>::second)->first;
}

Result<Wipe> parse_wipe(std::string_view word) {
  const auto* const found = std::ranges::find(kWipes, word, &std::pair<std::string_view, Wipe>::first);
  if (found != kWipes.end()) return found->second;
  return refuse("wipeOnDelete", std::string(word), "must be none, discard or zero");
}

Result<Parameters> parse_parameters(const std::map<std::string, std::string>& given, bool block) {
  HOLDFAST_CHECK(refuse_unknown_keys(given));
  Parameters parameters;
  parameters.wipe = block ? Wipe::kDiscard : Wipe::kNone;
  for (const auto& [key, take] : kKeys) {
    const auto value = given.find(std::string(key));
    if (value != given.end()) HOLDFAST_CHECK(take(parameters, value->second));
  }
  HOLDFAST_CHECK(check_whole(parameters, given));
  return parameters;
}

Status check_mkfs(const Parameters& parameters) {
  HOLDFAST_TRY(const block::FsType type, block::parse_fs_type(parameters.fs_type));
  return block::check_mkfs_options(type, parameters.mkfs_options);
}

Result<SnapshotRoom> parse_snapshot_parameters(const std::map<std::string, std::string>& given) {
  constexpr std::string_view kKey = "snapshotSize";
  constexpr std::uint64_t kWhole = 100;
  SnapshotRoom room;
  for (const auto& [key, value] : given) {
    if (key.starts_with(kOthersPrefix)) continue;
    if (key != kKey)
      return fail(Code::kInvalidArgument,
                  "there is no parameter " + key + " of snapshots; there is: snapshotSize");
    if (value.ends_with('%')) {
      HOLDFAST_TRY(const std::uint64_t percent, parse_count(kKey, value.substr(0, value.size() - 1), kWhole));
      room.percent = static_cast<std::uint32_t>(percent);
      continue;
    }
    HOLDFAST_TRY(room.bytes, parse_bytes(value));
    if (room.bytes == 0) return refuse(kKey, value, "leaves a snapshot no room");
  }
  return room;
}

Result<std::uint64_t> parse_bytes(const std::string& text) {
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 11> kUnits{{{"", 1},
                                                                               {"k", 1000},
                                                                               {"M", 1000'000},
                                                                               {"G", 1000'000'000},
                                                                               {"T", 1000'000'000'000},
                                                                               {"P", 1000'000'000'000'000},
                                                                               {"Ki", 1ULL << 10},
                                                                               {"Mi", 1ULL << 20},
                                                                               {"Gi", 1ULL << 30},
                                                                               {"Ti", 1ULL << 40},
                                                                               {"Pi", 1ULL << 50}}};
  std::uint64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
  const auto* const unit =
      std::ranges::find(kUnits, suffix, &std::pair<std::string_view, std::uint64_t>::first);
  if (error != std::errc{} || unit == kUnits.end()) {
    return fail(Code::kInvalidArgument, "'" + text + "' is no size in bytes, such as 50Mi or 10Gi");
  }
  if (count > std::numeric_limits<std::int64_t>::max() / unit->second) {
    return fail(Code::kOutOfRange, "'" + text + "' is more bytes than there are");
  }
  return count * unit->second;
}

}  // namespace holdfast::lvm

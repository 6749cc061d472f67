#include "csi-nas/controller/class_parameters.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/text.h"

namespace holdfast::nas {
namespace {

constexpr std::size_t kShown = 200;
constexpr std::string_view kOthersPrefix = "csi.storage.k8s.io/";
constexpr std::string_view kKeys =
    "volumeAs server path subDir onDelete archiveOnDelete site vers options mode modeType mountProtocol host "
    "mountpath share fsid fileSystemId fileSystemType storageType protocolType encryptType regionId zoneId "
    "networkType vpcId vSwitchId accessGroupName snapshotID deleteVolume volumeCapacity allowVolumeExpansion "
    "accesspointOwnerUserId accesspointOwnerGroupId sysConfig description capacity";
constexpr std::string_view kRefusedKeys = "mountType containerNetworkFileSystem";  // with what to do instead
constexpr std::string_view kDefaultDirectory = "${pv.metadata.name}";
constexpr std::array kPolicies{
    std::pair{OnDelete::kDelete, std::string_view("delete")},
    std::pair{OnDelete::kRetain, std::string_view("retain")},
    std::pair{OnDelete::kArchive, std::string_view("archive")},
};

Result<VolumeAs> read_volume_as(const std::string& text) {
  const std::string word = lower_case(text);
  if (word.empty() || word == "subpath") return VolumeAs::kSubpath;
  if (word == "sharepath") return VolumeAs::kSharepath;
  if (word == "filesystem") return VolumeAs::kFilesystem;
  if (word == "accesspoint") return VolumeAs::kAccesspoint;
  return refuse_parameter("volumeAs", text, "is none of subpath, sharepath, filesystem, accesspoint");
}

Result<OnDelete> read_on_delete(const std::map<std::string, std::string>& parameters) {
  const std::string policy = parameter_value(parameters, "ondelete");
  if (!policy.empty()) {
    const std::optional<OnDelete> known = parse_on_delete(lower_case(policy));
    if (!known) return refuse_parameter("onDelete", policy, "is neither delete, retain nor archive");
    return *known;
  }
  const std::string archive = lower_case(parameter_value(parameters, "archiveondelete"));
  if (archive.empty() || archive == "true") return OnDelete::kArchive;
  if (archive == "false") return OnDelete::kDelete;
  return refuse_parameter("archiveOnDelete", archive, "is neither true nor false");
}

// A site is a label's value. Source: Kubernetes, "Labels and Selectors", syntax.
Result<std::string> read_site(const std::string& text) {
  constexpr std::size_t kLongest = 63;
  const auto is_inner = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  const auto is_good = [&](char c) { return is_inner(c) || c == '-' || c == '_' || c == '.'; };
  const bool good = text.empty() || (text.size() <= kLongest && is_inner(text.front()) &&
                                     is_inner(text.back()) && std::ranges::all_of(text, is_good));
  if (good) return text;
  return refuse_parameter("site", text, "is not the name of a node pool");
}

// What lies in our folder is removed with what it belongs to.
Status check_base(const NasShare& share) {
  std::string_view rest = share.path;
  while (!rest.empty()) {
    if (take_until(rest, '/') != kOwnFolder) continue;
    return refuse_parameter("path", share.path, "leads into the driver's own folder: choose another");
  }
  return {};
}

bool is_one_name(std::string_view text) {
  return text != "." && text != ".." && text.find('/') == std::string_view::npos;
}

Result<std::string> value_of_word(std::string_view word, const ClaimNames& names) {
  const std::array<std::pair<std::string_view, const std::string*>, 3> known{
      std::pair{std::string_view("pvc.metadata.name"), &names.claim},
      std::pair{std::string_view("pvc.metadata.namespace"), &names.name_space},
      std::pair{std::string_view("pv.metadata.name"), &names.volume}};
  for (const auto& [name, value] : known) {
    if (name != word) continue;
    if (value->empty()) {
      return refuse_parameter("subDir", word,
                              "is not told: start the provisioner with --extra-create-metadata");
    }
    if (!is_one_name(*value)) return refuse_parameter("subDir", *value, "is not one name");
    return *value;
  }
  return refuse_parameter(
      "subDir", word,
      "is unknown: use ${pvc.metadata.name}, ${pvc.metadata.namespace} or ${pv.metadata.name}");
}

bool is_one_of(std::string_view keys, const std::string& lower) {
  while (!keys.empty()) {
    if (lower_case(take_until(keys, ' ')) == lower) return true;
  }
  return false;
}

}  // namespace

Status check_keys(const std::map<std::string, std::string>& parameters) {
  for (const auto& [key, value] : parameters) {
    const std::string lower = lower_case(key);
    if (lower.starts_with(kOthersPrefix) || is_one_of(kKeys, lower) || is_one_of(kRefusedKeys, lower))
      continue;
    return fail(Code::kInvalidArgument, "there is no parameter " + printable(key, kShown) +
                                            " of csi-nas; there are: " + std::string(kKeys));
  }
  return {};
}

std::string parameter_value(const std::map<std::string, std::string>& parameters, std::string_view key) {
  for (const auto& [name, value] : parameters) {
    if (lower_case(name) == key) return std::string(trim(value));
  }
  return {};
}

tl::unexpected<Error> refuse_parameter(std::string_view parameter, std::string_view value,
                                       std::string_view why) {
  std::string message = "the parameter ";
  message += parameter;
  message += " '" + printable(value, kShown) + "' ";
  message += why;
  return fail(Code::kInvalidArgument, std::move(message));
}

std::string_view to_string(OnDelete what) {
  return std::ranges::find(kPolicies, what, [](const auto& each) { return each.first; })->second;
}

std::optional<OnDelete> parse_on_delete(std::string_view word) {
  const auto* const found = std::ranges::find(kPolicies, word, [](const auto& each) { return each.second; });
  return found == kPolicies.end() ? std::nullopt : std::optional(found->first);
}

Result<ClassParameters> parse_class(const std::map<std::string, std::string>& parameters,
                                    std::span<const std::string> mount_options) {
  ClassParameters out;
  HOLDFAST_TRY(out.volume_as, read_volume_as(parameter_value(parameters, "volumeas")));
  HOLDFAST_TRY(out.on_delete, read_on_delete(parameters));
  HOLDFAST_TRY(out.site, read_site(parameter_value(parameters, "site")));
  out.sub_dir = parameter_value(parameters, "subdir");
  if (!out.sub_dir.empty() && out.volume_as == VolumeAs::kSharepath) {
    return refuse_parameter("subDir", out.sub_dir, "does not go with sharepath, which is the share itself");
  }
  if (out.sub_dir.empty()) out.sub_dir = kDefaultDirectory;
  NasAttributes attributes(parameters.begin(), parameters.end());
  if (out.volume_as == VolumeAs::kFilesystem || out.volume_as == VolumeAs::kAccesspoint) {
    // The server is made with the volume: what is read here is how it is to be mounted.
    std::erase_if(attributes, [](const auto& each) { return lower_case(each.first) == "path"; });
    attributes["server"] = "0.0.0.0";
  }
  // Ours; parse_source() would take it for a part of the share's path.
  std::erase_if(attributes, [](const auto& each) { return lower_case(each.first) == "subdir"; });
  HOLDFAST_TRY(out.source, parse_source(attributes, mount_options, ""));
  for (const NasShare& share : out.source.shares) HOLDFAST_CHECK(check_base(share));
  return out;
}

ClaimNames read_names(const std::map<std::string, std::string>& parameters, const std::string& volume) {
  ClaimNames names{.volume = volume};
  names.claim = parameter_value(parameters, "csi.storage.k8s.io/pvc/name");
  names.name_space = parameter_value(parameters, "csi.storage.k8s.io/pvc/namespace");
  return names;
}

Result<RelativePath> expand_directory(std::string_view text, const ClaimNames& names) {
  std::string out;
  std::string_view rest = text;
  for (std::size_t begin = rest.find("${"); begin != std::string_view::npos; begin = rest.find("${")) {
    const std::size_t end = rest.find('}', begin);
    if (end == std::string_view::npos)
      return refuse_parameter("subDir", text, "has a brace that does not close");
    out += rest.substr(0, begin);
    HOLDFAST_TRY(const std::string value, value_of_word(rest.substr(begin + 2, end - begin - 2), names));
    out += value;
    rest.remove_prefix(end + 1);
  }
  out += rest;
  return RelativePath::parse(out);
}

}  // namespace holdfast::nas

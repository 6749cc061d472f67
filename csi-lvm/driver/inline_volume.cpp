#include "csi-lvm/driver/inline_volume.h"

#include <algorithm>
#include <array>

#include "csi-lvm/volumes/parameters.h"
#include "csi-lvm/volumes/volume_tags.h"

namespace holdfast::lvm {
namespace {

constexpr std::string_view kIdBegins = "csi-";
constexpr std::size_t kIdDigits = 64;
constexpr std::string_view kOthersPrefix = "csi.storage.k8s.io/";
constexpr std::array<std::string_view, 9> kFree{"vgName",   "volumeType", "lvmType",
                                                "stripes",  "encrypted",  "stripeSize",
                                                "thinPool", "fsType",     "mkfsOptions"};

}  // namespace

bool may_be_inline(std::string_view volume_id) {
  if (!volume_id.starts_with(kIdBegins) || volume_id.size() != kIdBegins.size() + kIdDigits) return false;
  return volume_id.find_first_not_of("0123456789abcdef", kIdBegins.size()) == std::string_view::npos;
}

Result<VolumeRequest> inline_request(const std::string& volume_id,
                                     const std::map<std::string, std::string>& attributes) {
  VolumeRequest wanted;
  wanted.name = volume_id;
  std::map<std::string, std::string> parameters;
  for (const auto& [key, value] : attributes) {
    if (key == "size" || key.starts_with(kOthersPrefix)) continue;
    if (std::ranges::find(kFree, key) == kFree.end()) {
      return fail(Code::kInvalidArgument, "the attribute " + key + " is not for a volume of a pod's own");
    }
    parameters[key] = value;
  }
  const auto size = attributes.find("size");
  if (size == attributes.end()) {
    return fail(Code::kInvalidArgument,
                "the attribute size is missing: a volume of a pod's own needs one, 1Gi");
  }
  HOLDFAST_TRY(wanted.required_bytes, parse_bytes(size->second));
  if (wanted.required_bytes == 0) return fail(Code::kInvalidArgument, "the attribute size is 0");
  HOLDFAST_TRY(wanted.parameters, parse_parameters(parameters, false));
  wanted.parameters.tags.push_back(tag(kLifeTag, kPodsLife));
  return wanted;
}

}  // namespace holdfast::lvm

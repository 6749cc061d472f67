#include "csi-nas/cluster/nas_names.h"

#include "common/base/sha.h"

namespace holdfast::nas {
namespace {

constexpr std::size_t kHashDigits = 40;
constexpr std::size_t kLongestPart = 200;  // of the 253 that a name may have
constexpr std::string_view kSnapshotEnding = ".snapshot";

std::string hash_of(std::string_view text) { return sha512_hex(text).substr(0, kHashDigits); }

}  // namespace

std::string label_of(std::string_view id) { return hash_of(id); }

std::string volume_object_name(std::string_view name, bool snapshot) {
  const bool usable = name.size() <= kLongestPart && kube::is_name_part(name);
  std::string out = usable ? std::string(name) : "v-" + hash_of(name);
  if (snapshot) out += kSnapshotEnding;
  return out;
}

std::string task_object_name(std::string_view place) { return "t-" + hash_of(place); }

}  // namespace holdfast::nas

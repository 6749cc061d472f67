#include "common/csi/profile.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/csi/names.h"

namespace holdfast::csi {
namespace {

constexpr std::int64_t kMostAttachments = 10'000;
constexpr std::array kKinds{std::pair{"local", DriverKind::kLocal}, std::pair{"nas", DriverKind::kNas},
                            std::pair{"disk", DriverKind::kDisk}};

Result<DriverKind> kind_of(const JsonField& field) {
  HOLDFAST_TRY(const std::string name, field.string());
  for (const auto& [known, kind] : kKinds) {
    if (name == known) return kind;
  }
  return field.refuse("is none of local, nas, disk");
}

constexpr std::array kHandleSerials{std::pair{"none", HandleSerial::kNone},
                                    std::pair{"whole", HandleSerial::kWhole},
                                    std::pair{"behindPrefix", HandleSerial::kBehindPrefix}};

Status set_handle_serial(const JsonField& field, HandleSerial& out) {
  if (!field.present()) return {};
  HOLDFAST_TRY(const std::string word, field.string());
  for (const auto& [known, value] : kHandleSerials) {
    if (word != known) continue;
    out = value;
    return {};
  }
  return field.refuse("is none of none, whole, behindPrefix");
}

Status set_strings(const JsonField& field, std::vector<std::string>& out) {
  if (!field.present()) return {};
  HOLDFAST_TRY(out, field.strings_or_empty());
  return {};
}

Result<std::string> one_folder(const JsonField& field, std::string absent) {
  HOLDFAST_TRY(std::string name, field.string_or(std::move(absent)));
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
    return field.refuse("is not the name of a folder");
  }
  return name;
}

}  // namespace

std::optional<Profile> known_profile(std::string_view driver_name) {
  const auto found = std::ranges::find(known_profiles(), driver_name, &Profile::driver_name);
  if (found == known_profiles().end()) return std::nullopt;
  return *found;
}

Result<Profile> parse_profile(const nlohmann::json& document) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(document));
  HOLDFAST_TRY(const std::string name, object["driverName"].string());
  if (!is_driver_name(name)) {
    return object["driverName"].refuse("is not a driver's name: letters, digits, '-', '.', at most 63");
  }
  const std::optional<Profile> known = known_profile(name);
  Profile out = known.value_or(Profile{.driver_name = name});
  if (!known || object["kind"].present()) {
    HOLDFAST_TRY(out.kind, kind_of(object["kind"]));
  }
  HOLDFAST_TRY(out.plugins_folder, one_folder(object["pluginsFolder"], out.plugins_folder));
  HOLDFAST_TRY(out.handle_prefix, object["handlePrefix"].string_or(out.handle_prefix));
  HOLDFAST_CHECK(set_strings(object["topologyKeys"], out.topology_keys));
  HOLDFAST_CHECK(set_strings(object["deviceLinks"], out.device_links));
  HOLDFAST_CHECK(set_handle_serial(object["handleSerial"], out.handle_serial));
  HOLDFAST_TRY(out.loop_devices, object["loopDevices"].boolean_or(out.loop_devices));
  HOLDFAST_TRY(const std::int64_t limit,
               object["attachLimit"].integer_or(out.attach_limit, 0, kMostAttachments));
  out.attach_limit = static_cast<std::uint32_t>(limit);
  HOLDFAST_TRY(out.region_in_node_name, object["regionInNodeName"].boolean_or(out.region_in_node_name));
  return out;
}

Result<std::vector<Profile>> parse_profiles(const nlohmann::json& configuration) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(configuration));
  HOLDFAST_TRY(const std::vector<JsonField> given, object["profiles"].array_or_empty());
  std::vector<Profile> out;
  for (const JsonField& field : given) {
    auto profile = parse_profile(field.raw());
    if (!profile) return tl::unexpected(std::move(profile).error().within(field.path()));
    if (std::ranges::find(out, profile->driver_name, &Profile::driver_name) != out.end()) {
      return fail(Code::kInvalidArgument, field.path() + ": " + profile->driver_name + " is told twice");
    }
    out.push_back(*std::move(profile));
  }
  return out;
}

std::filesystem::path csi_socket(const std::filesystem::path& kubelet_folder, const Profile& profile) {
  return kubelet_folder / profile.plugins_folder / profile.driver_name / "csi.sock";
}

std::filesystem::path registration_socket(const std::filesystem::path& kubelet_folder,
                                          const Profile& profile) {
  return kubelet_folder / "plugins_registry" / (profile.driver_name + "-reg.sock");
}

}  // namespace holdfast::csi

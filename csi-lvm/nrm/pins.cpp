#include "csi-lvm/nrm/pins.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/base/state_file.h"
#include "csi-lvm/nrm/topology.h"

namespace holdfast::nrm {
namespace {

using nlohmann::json;

constexpr StateKind kPins{.name = "node-resource-pins", .version = 1};
constexpr const char* kFile = "pins";
constexpr std::array<std::pair<const char*, std::string Pin::*>, 8> kMembers{
    {{"entry", &Pin::entry},
     {"selector", &Pin::selector},
     {"wwn", &Pin::wwn},
     {"serial", &Pin::serial},
     {"partitionUuid", &Pin::partition_uuid},
     {"pvUuid", &Pin::pv_uuid},
     {"provenance", &Pin::provenance},
     {"kernelName", &Pin::kernel_name}}};

bool same_disk(const Pin& one, const Pin& other) {
  if (one.lasts() || other.lasts()) {
    return one.wwn == other.wwn && one.serial == other.serial && one.partition_uuid == other.partition_uuid;
  }
  const bool known = !one.pv_uuid.empty() && !other.pv_uuid.empty();
  return known ? one.pv_uuid == other.pv_uuid : one.kernel_name == other.kernel_name;
}

Result<Pins> parse_pins(std::string_view text) {
  HOLDFAST_TRY(const json document, parse_json(text, {.max_bytes = kMaxStateBytes, .max_depth = 4}));
  HOLDFAST_TRY(const JsonObject root, JsonObject::of(document));
  HOLDFAST_TRY(const std::vector<JsonField> rows, root["pins"].array());
  Pins pins;
  for (const JsonField& row : rows) {
    HOLDFAST_TRY(const JsonObject object, row.object());
    Pin pin;
    for (const auto& [key, member] : kMembers) {
      HOLDFAST_TRY(pin.*member, object[key].string_or(""));
    }
    pins.push_back(std::move(pin));
  }
  return pins;
}

}  // namespace

Pin make_pin(std::string entry, std::string selector, const block::DeviceIdentity& device) {
  Pin pin;
  pin.entry = std::move(entry);
  pin.selector = std::move(selector);
  pin.kernel_name = device.kernel_name;
  if (!device.whole_disk.empty() && device.partition_uuid.empty()) return pin;
  pin.wwn = plain_wwn(device.wwn);
  pin.serial = device.serial;
  pin.partition_uuid = device.partition_uuid;
  return pin;
}

bool is_of(const Pin& pin, const block::DeviceIdentity& device) {
  if (!pin.lasts() || pin.partition_uuid != device.partition_uuid) return false;
  if (device.whole_disk.empty() != pin.partition_uuid.empty()) return false;
  return pin.wwn.empty() ? pin.serial == device.serial : pin.wwn == plain_wwn(device.wwn);
}

bool remember(Pins& pins, Pin pin) {
  const auto found = std::ranges::find_if(pins, [&](const Pin& other) {
    return other.entry == pin.entry && other.selector == pin.selector && same_disk(other, pin);
  });
  if (found == pins.end()) {
    pins.push_back(std::move(pin));
    return true;
  }
  if (pin.pv_uuid.empty()) pin.pv_uuid = found->pv_uuid;
  if (pin.provenance.empty()) pin.provenance = found->provenance;
  pin.kernel_name = found->kernel_name;
  if (*found == pin) return false;
  *found = std::move(pin);
  return true;
}

Result<Pins> load_pins(Files& files, const std::filesystem::path& state_dir) {
  HOLDFAST_TRY(const StateFile file, read_state(files, state_dir / kFile, kPins));
  if (!file.content) return Pins{};
  return parse_pins(*file.content);
}

Status save_pins(Files& files, const std::filesystem::path& state_dir, const Pins& pins) {
  json rows = json::array();
  for (const Pin& pin : pins) {
    json row = json::object();
    for (const auto& [key, member] : kMembers) {
      if (!(pin.*member).empty()) row[key] = pin.*member;
    }
    rows.push_back(std::move(row));
  }
  HOLDFAST_CHECK(files.make_folders(state_dir, 0700));
  return write_state(files, state_dir / kFile, kPins, dump_json({{"pins", std::move(rows)}}));
}

}  // namespace holdfast::nrm

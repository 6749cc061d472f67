#include "csi-disk/sim/disk_catalogue.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace holdfast::disk {
namespace {

using nlohmann::json;

constexpr std::int64_t kMostGib = 65536;
constexpr std::int64_t kMostIops = 50'000;
constexpr std::string_view kRegional = "cloud_regional_disk_auto";

// Of a type with levels the first is its usual one.
// Source: https://www.alibabacloud.com/help/en/ecs/user-guide/disks-2, and
// https://www.tencentcloud.com/document/product/362/2353 for those of Tencent.
constexpr std::array kTypes{
    DiskType{"cloud", "", 5, 2000},
    DiskType{"cloud_efficiency", "", 20, kMostGib},
    DiskType{"cloud_ssd", "", 20, kMostGib},
    DiskType{"cloud_essd", "PL1", 20, kMostGib},
    DiskType{"cloud_essd", "PL0", 1, kMostGib},
    DiskType{"cloud_essd", "PL2", 461, kMostGib},
    DiskType{"cloud_essd", "PL3", 1261, kMostGib},
    DiskType{"cloud_auto", "", 1, kMostGib},
    DiskType{"cloud_essd_entry", "", 10, kMostGib},
    DiskType{kRegional, "", 10, kMostGib},
    DiskType{"elastic_ephemeral_disk_standard", "", 64, 8192},
    DiskType{"elastic_ephemeral_disk_premium", "", 64, 8192},
    DiskType{"CLOUD_BASIC", "", 10, 32000},
    DiskType{"CLOUD_PREMIUM", "", 10, 32000},
    DiskType{"CLOUD_BSSD", "", 20, 32000},
    DiskType{"CLOUD_SSD", "", 20, 32000},
    DiskType{"CLOUD_HSSD", "", 20, 32000},
    DiskType{"CLOUD_TSSD", "", 20, 32000},
};

tl::unexpected<Trouble> no(Trouble why) { return tl::unexpected(why); }

std::string stock_key(const std::string& zone, const std::string& type) { return zone + " " + type; }

std::int64_t number_in(const json& object, const char* key) { return object.value(key, std::int64_t{0}); }

json& member(json& state, const char* key) {
  json& it = state[key];
  if (it.is_null()) it = json::object();
  return it;
}

json* find_in(json& all, const std::string& id) {
  const auto found = all.find(id);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

const DiskType* disk_type(std::string_view name, std::string_view level) {
  const auto* const found = std::ranges::find_if(kTypes, [&](const DiskType& each) {
    return each.name == name && (level.empty() || each.level == level);
  });
  return found == kTypes.end() ? nullptr : &*found;
}

std::vector<std::string> disk_type_names(bool tencent) {
  std::vector<std::string> names;
  for (const DiskType& each : kTypes) {
    const bool of_tencent = each.name.starts_with("CLOUD_");
    if (of_tencent == tencent && (names.empty() || names.back() != each.name)) names.emplace_back(each.name);
  }
  return names;
}

std::string serial_of(const std::string& id) { return id.starts_with("d-") ? id.substr(2) : id; }

DiskCatalogue::DiskCatalogue(const DiskShop& shop, json& state, std::chrono::milliseconds now,
                             std::chrono::seconds wall)
    : shop_(shop), state_(state), now_(now.count()), wall_(wall.count()) {
  for (const char* const key : {"disks", "snapshots", "nodes"}) member(state_, key);
}

json& DiskCatalogue::disks() { return state_["disks"]; }
json& DiskCatalogue::snapshots() { return state_["snapshots"]; }
json* DiskCatalogue::disk(const std::string& id) { return find_in(disks(), id); }
json* DiskCatalogue::snapshot(const std::string& id) { return find_in(snapshots(), id); }
const json* DiskCatalogue::node(const std::string& id) const { return find_in(state_["nodes"], id); }

std::string DiskCatalogue::next_id(const std::string& prefix) {
  constexpr std::size_t kDigits = 12;
  const std::int64_t made = number_in(state_, "made") + 1;
  state_["made"] = made;
  const std::string digits = std::to_string(made);
  return prefix + std::string(kDigits - std::min(kDigits, digits.size()), '0') + digits;
}

// A machine that was started again counts from zero: what began before that is over.
bool DiskCatalogue::settled(const json& thing, const char* since) const {
  const std::int64_t passed = now_ - number_in(thing, since);
  return passed < 0 || passed >= shop_.settling.count();
}

std::int64_t DiskCatalogue::progress(const json& snapshot) const {
  constexpr std::int64_t kAll = 100;
  if (settled(snapshot)) return kAll;
  return (now_ - number_in(snapshot, "at")) * kAll / shop_.settling.count();
}

std::vector<Attachment> DiskCatalogue::attachments(const json& disk) const {
  std::vector<Attachment> out;
  for (const auto& [node, life] : disk["nodes"].items()) {
    const bool leaves = life["leaves"].get<bool>();
    if (leaves && settled(life)) continue;
    Phase phase = leaves ? Phase::kDetaching : Phase::kAttaching;
    if (!leaves && settled(life)) phase = Phase::kAttached;
    out.push_back({.node = node, .phase = phase});
  }
  return out;
}

std::int64_t DiskCatalogue::disks_of(const std::string& node) const {
  std::int64_t count = 0;
  for (const json& disk : state_["disks"]) {
    const std::vector<Attachment> all = attachments(disk);
    count += std::ranges::count(all, node, &Attachment::node);
  }
  return count;
}

bool DiskCatalogue::in_stock(const std::string& zone, const std::string& type) const {
  const auto sold_out = state_.find("soldOut");
  if (sold_out == state_.end()) return true;
  return std::ranges::find(*sold_out, json(stock_key(zone, type))) == sold_out->end();
}

bool DiskCatalogue::in_arrears() const { return state_.value("arrears", false); }

bool DiskCatalogue::cutting(const std::string& disk) const {
  return std::ranges::any_of(state_["snapshots"],
                             [&](const json& each) { return each["disk"] == disk && !settled(each); });
}

Outcome<void> DiskCatalogue::check_sale(const Wanted& wanted, std::int64_t gib) const {
  if (std::ranges::find(shop_.zones, wanted.zone) == shop_.zones.end()) return no(Trouble::kNoZone);
  if (disk_type(wanted.type, "") == nullptr) return no(Trouble::kNoType);
  const DiskType* const type = disk_type(wanted.type, wanted.level);
  if (type == nullptr || wanted.iops < 0 || wanted.iops > kMostIops) return no(Trouble::kNoLevel);
  if (gib < type->least_gib || gib > type->most_gib) return no(Trouble::kNoSize);
  if (in_arrears()) return no(Trouble::kArrears);
  if (!in_stock(wanted.zone, wanted.type)) return no(Trouble::kSoldOut);
  const auto quota = static_cast<std::int64_t>(state_["disks"].size()) + 1;
  if (state_.contains("quota") && quota > number_in(state_, "quota")) return no(Trouble::kQuota);
  return {};
}

Outcome<std::string> DiskCatalogue::create_disk(const Wanted& wanted) {
  std::int64_t gib = wanted.gib;
  if (!wanted.snapshot.empty()) {
    const json* const source = snapshot(wanted.snapshot);
    if (source == nullptr) return no(Trouble::kNoSnapshot);
    if (!settled(*source)) return no(Trouble::kCutting);
    const std::int64_t least = number_in(*source, "gib");
    if (gib == 0) gib = least;
    if (gib < least) return no(Trouble::kNoSize);
  }
  if (const Outcome<void> sale = check_sale(wanted, gib); !sale) return no(sale.error());
  const std::string id = next_id(wanted.prefix);
  disks()[id] = {{"name", wanted.name},
                 {"gib", gib},
                 {"type", wanted.type},
                 {"level", disk_type(wanted.type, wanted.level)->level},
                 {"iops", wanted.iops},
                 {"bursting", wanted.bursting},
                 {"zone", wanted.zone},
                 {"snapshot", wanted.snapshot},
                 {"encrypted", wanted.encrypted},
                 {"key", wanted.key},
                 {"multi", wanted.multi_attach},
                 {"tags", json::object()},
                 {"at", now_},
                 {"grown", 0},
                 {"nodes", json::object()}};
  return id;
}

Outcome<void> DiskCatalogue::delete_disk(const std::string& id) {
  const json* const it = disk(id);
  if (it == nullptr) return no(Trouble::kNoDisk);
  if (!settled(*it) || !attachments(*it).empty()) return no(Trouble::kState);
  if (cutting(id)) return no(Trouble::kCutting);
  disks().erase(id);
  return {};
}

Outcome<void> DiskCatalogue::attach(const std::string& disk_id, const std::string& node_id) {
  json* const it = disk(disk_id);
  if (it == nullptr) return no(Trouble::kNoDisk);
  const json* const to = node(node_id);
  if (to == nullptr) return no(Trouble::kNoNode);
  if (in_arrears()) return no(Trouble::kArrears);
  if ((*it)["type"] != kRegional && (*it)["zone"] != (*to)["zone"]) return no(Trouble::kFarAway);
  const std::vector<Attachment> all = attachments(*it);
  const bool here = std::ranges::find(all, node_id, &Attachment::node) != all.end();
  const bool taken = !all.empty() && !(*it)["multi"].get<bool>();
  if (!settled(*it) || here || taken) return no(Trouble::kState);
  if (disks_of(node_id) >= to->value("most", kUsualMostDisks)) return no(Trouble::kNodeFull);
  json life = json::object();
  for (const Attachment& each : all) life[each.node] = (*it)["nodes"][each.node];
  life[node_id] = {{"at", now_}, {"leaves", false}};
  (*it)["nodes"] = std::move(life);
  return {};
}

Outcome<void> DiskCatalogue::detach(const std::string& disk_id, const std::string& node_id) {
  json* const it = disk(disk_id);
  if (it == nullptr) return no(Trouble::kNoDisk);
  if (node(node_id) == nullptr) return no(Trouble::kNoNode);
  const std::vector<Attachment> all = attachments(*it);
  const auto here = std::ranges::find(all, node_id, &Attachment::node);
  if (here == all.end()) return no(Trouble::kNotHere);
  if (here->phase == Phase::kDetaching) return no(Trouble::kLeaving);
  if (here->phase == Phase::kAttaching) return no(Trouble::kState);
  (*it)["nodes"][node_id] = {{"at", now_}, {"leaves", true}};
  return {};
}

Outcome<void> DiskCatalogue::grow(const std::string& disk_id, std::int64_t gib) {
  json* const it = disk(disk_id);
  if (it == nullptr) return no(Trouble::kNoDisk);
  if (in_arrears()) return no(Trouble::kArrears);
  if (gib <= number_in(*it, "gib")) return no(Trouble::kShrinks);
  const DiskType* const type = disk_type((*it)["type"].get<std::string>(), "");
  if (type == nullptr || gib > type->most_gib) return no(Trouble::kNoSize);
  if (!settled(*it)) return no(Trouble::kState);
  if (cutting(disk_id)) return no(Trouble::kCutting);
  (*it)["gib"] = gib;
  (*it)["grown"] = now_;
  return {};
}

Outcome<void> DiskCatalogue::respec(const std::string& disk_id, const std::string& type,
                                    const std::string& level, std::int64_t iops) {
  json* const it = disk(disk_id);
  if (it == nullptr) return no(Trouble::kNoDisk);
  if (in_arrears()) return no(Trouble::kArrears);
  const bool other_type = !type.empty() && type != (*it)["type"];
  const std::string new_type = other_type ? type : (*it)["type"].get<std::string>();
  if (disk_type(new_type, "") == nullptr) return no(Trouble::kNoType);
  const std::string old_level = other_type ? "" : (*it)["level"].get<std::string>();
  const DiskType* const wanted = disk_type(new_type, level.empty() ? old_level : level);
  if (wanted == nullptr || iops > kMostIops) return no(Trouble::kNoLevel);
  if (number_in(*it, "gib") < wanted->least_gib) return no(Trouble::kNoSize);
  if (!in_stock((*it)["zone"].get<std::string>(), new_type)) return no(Trouble::kSoldOut);
  if (!settled(*it)) return no(Trouble::kState);
  (*it)["type"] = new_type;
  (*it)["level"] = wanted->level;
  if (iops > 0) (*it)["iops"] = iops;
  return {};
}

Outcome<void> DiskCatalogue::set_bursting(const std::string& disk_id, bool bursting) {
  json* const it = disk(disk_id);
  if (it == nullptr) return no(Trouble::kNoDisk);
  (*it)["bursting"] = bursting;
  return {};
}

Outcome<std::string> DiskCatalogue::create_snapshot(const std::string& prefix, const std::string& disk_id,
                                                    const std::string& name, std::int64_t days) {
  const json* const it = disk(disk_id);
  if (it == nullptr) return no(Trouble::kNoDisk);
  if (in_arrears()) return no(Trouble::kArrears);
  if (!settled(*it)) return no(Trouble::kState);
  if (cutting(disk_id)) return no(Trouble::kCutting);
  const std::string id = next_id(prefix);
  snapshots()[id] = {{"name", name}, {"disk", disk_id}, {"gib", (*it)["gib"]},   {"cut", wall_},
                     {"at", now_},   {"days", days},    {"tags", json::object()}};
  return id;
}

Outcome<void> DiskCatalogue::delete_snapshot(const std::string& id) {
  const json* const it = snapshot(id);
  if (it == nullptr) return no(Trouble::kNoSnapshot);
  const bool feeding = std::ranges::any_of(
      disks(), [&](const json& each) { return each["snapshot"] == id && !settled(each); });
  if (feeding) return no(Trouble::kFeeding);
  snapshots().erase(id);
  return {};
}

}  // namespace holdfast::disk

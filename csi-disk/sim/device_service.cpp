#include "csi-disk/sim/device_service.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace holdfast::disk {
namespace {

using cloud::sim::Failure;
using cloud::sim::SimAnswer;
using cloud::sim::SimCall;
using nlohmann::json;

constexpr int kForbidden = 403;
constexpr int kServerError = 500;
constexpr std::uint64_t kGib = std::uint64_t{1} << 30;

std::uint64_t bytes_of(const json& thing) { return thing["gib"].get<std::uint64_t>() * kGib; }

tl::unexpected<Failure> broken(const Error& error) {
  return tl::unexpected(Failure{kServerError, "InternalError", error.message});
}

// The disk that a call is to detach; empty: it is another call.
std::string detached_by(const SimCall& call) {
  if (call.action == "DetachDisk") return call.parameters.value("DiskId", "");
  if (call.action != "DetachDisks") return "";
  const auto ids = call.parameters.find("DiskIds");
  const bool named =
      ids != call.parameters.end() && ids->is_array() && ids->size() == 1 && (*ids)[0].is_string();
  return named ? (*ids)[0].get<std::string>() : "";
}

// The first that it is attached to; empty: none.
std::string node_of(const std::vector<Attachment>& attachments) {
  const auto found = std::ranges::find(attachments, Phase::kAttached, &Attachment::phase);
  return found == attachments.end() ? "" : found->node;
}

}  // namespace

Status DeviceService::begin(json& now) {
  const bool empty = now.empty();
  HOLDFAST_CHECK(DiskService::begin(now));
  HOLDFAST_CHECK(images_.open());
  HOLDFAST_TRY(const std::vector<std::filesystem::path> unknown, unknown_images(now));
  if (empty && !unknown.empty()) {
    return fail(Code::kFailedPrecondition,
                "--state tells of no disks, and there are images, the first of which is " +
                    unknown.front().string() +
                    ": name the state that they belong to, or move them to another folder");
  }
  HOLDFAST_CHECK(learn_images(now));
  HOLDFAST_CHECK(find_devices(now));
  for (const std::filesystem::path& each : unknown) {
    HOLDFAST_TRY(const std::filesystem::path now_at, images_.set_aside(each));
    note_(each.string() + " is of no disk that --state tells of: it is " + now_at.string() + " now");
  }
  return {};
}

// Those that neither are there nor have been deleted.
Result<std::vector<std::filesystem::path>> DeviceService::unknown_images(const json& state) const {
  std::set<std::string> serials;
  std::set<std::string> snapshots;
  for (const auto& [id, disk] : state["disks"].items()) serials.insert(serial_of(id));
  for (const auto& [id, snapshot] : state["snapshots"].items()) snapshots.insert(id);
  for (const json& id : state.value("deleted", json::array())) {
    serials.insert(serial_of(id.get<std::string>()));
    snapshots.insert(id.get<std::string>());
  }
  return images_.others(serials, snapshots);
}

Status DeviceService::learn_images(const json& state) {
  known_.clear();
  lost_.clear();
  for (const auto& [id, disk] : state["disks"].items())
    HOLDFAST_CHECK(learn_image(id, images_.disk(serial_of(id)), disk));
  for (const auto& [id, snapshot] : state["snapshots"].items())
    HOLDFAST_CHECK(learn_image(id, images_.snapshot(id), snapshot));
  return {};
}

Status DeviceService::learn_image(const std::string& id, const std::filesystem::path& image,
                                  const json& thing) {
  known_[id] = thing["gib"];
  Status there = DiskImages::grow(image, bytes_of(thing));
  if (there || there.error().code != Code::kDataLoss) return there;
  lost_.insert(id);
  note_(id + ": " + there.error().message + ": put it back, or delete " + id);
  return {};
}

// Those that a simulator that was killed has left.
Status DeviceService::find_devices(json& state) {
  HOLDFAST_TRY(const auto there, bays_.plugged());
  for (const auto& [serial, device] : there) {
    const auto found = std::ranges::find_if(
        known_, [&serial = serial](const auto& each) { return serial_of(each.first) == serial; });
    if (found == known_.end()) {
      HOLDFAST_CHECK(bays_.unplug(serial));
    } else {
      plugged_[found->first] = 0;
    }
  }
  agree(state);
  return {};
}

void DeviceService::stop() {
  for (const auto& [id, gib] : plugged_) {
    if (const Status done = bays_.unplug(serial_of(id)); !done) note_(done.error().message);
  }
  plugged_.clear();
}

// Their images are removed when the state says so on disk.
void DeviceService::note_deleted(json& state) {
  std::erase_if(known_, [&](const auto& each) {
    const std::string& id = each.first;
    if (state["disks"].contains(id) || state["snapshots"].contains(id)) return false;
    state["deleted"].push_back(id);
    lost_.erase(id);
    return true;
  });
}

void DeviceService::kept(json& state) {
  json left = json::array();
  for (const json& each : state.value("deleted", json::array())) {
    const auto id = each.get<std::string>();
    Status done = DiskImages::remove(images_.disk(serial_of(id)));
    if (done) done = DiskImages::remove(images_.snapshot(id));
    if (done) continue;
    note_(done.error().message);
    left.push_back(id);
  }
  state["deleted"] = std::move(left);
}

// Nothing is attached whose content is not there. Errors: kDataLoss.
Status DeviceService::check_lost(json& before, json& after) {
  const DiskCatalogue was = catalogue(before);
  const DiskCatalogue is = catalogue(after);
  for (auto each = lost_.begin(); each != lost_.end();) {
    const std::string id = *each;
    const json& disk = after["disks"].value(id, json());
    if (disk.is_null() || is.attachments(disk).empty() || !was.attachments(before["disks"][id]).empty()) {
      ++each;
      continue;
    }
    HOLDFAST_CHECK(DiskImages::grow(images_.disk(serial_of(id)), bytes_of(disk)));
    each = lost_.erase(each);
  }
  return {};
}

// Of what the call has made, or made larger.
Status DeviceService::make_images(json& state) {
  for (const auto& [id, disk] : state["disks"].items()) {
    const std::int64_t gib = disk["gib"];
    if (const auto found = known_.find(id); found != known_.end() && found->second == gib) continue;
    const std::filesystem::path image = images_.disk(serial_of(id));
    const std::string source = disk["snapshot"];
    if (known_.contains(id)) {
      HOLDFAST_CHECK(DiskImages::grow(image, bytes_of(disk)));
    } else if (source.empty()) {
      HOLDFAST_CHECK(DiskImages::create(image, bytes_of(disk)));
    } else {
      HOLDFAST_CHECK(DiskImages::copy(images_.snapshot(source), image, bytes_of(disk)));
    }
    known_[id] = gib;
  }
  for (const auto& [id, snapshot] : state["snapshots"].items()) {
    if (known_.contains(id)) continue;
    const std::string disk = snapshot["disk"];
    HOLDFAST_CHECK(DiskImages::copy(images_.disk(serial_of(disk)), images_.snapshot(id), bytes_of(snapshot)));
    known_[id] = snapshot["gib"];
  }
  return {};
}

Status DeviceService::agree_on(const std::string& id, const json& disk, const std::string& node) {
  const std::string serial = serial_of(id);
  const auto there = plugged_.find(id);
  if (lost_.contains(id) && there == plugged_.end()) return {};
  if (node.empty()) {
    if (there == plugged_.end()) return {};
    HOLDFAST_CHECK(bays_.unplug(serial));
    plugged_.erase(there);
    return {};
  }
  const std::int64_t gib = disk["gib"];
  if (there != plugged_.end() && there->second == gib) return {};
  HOLDFAST_CHECK(bays_.plug(serial, images_.disk(serial), node));
  if (there != plugged_.end()) {
    HOLDFAST_CHECK(bays_.resize(serial));
  }
  plugged_[id] = gib;
  return {};
}

void DeviceService::agree(json& state) {
  const DiskCatalogue all = catalogue(state);
  for (const auto& [id, disk] : state["disks"].items()) {
    if (const Status done = agree_on(id, disk, node_of(all.attachments(disk))); !done)
      note_(done.error().message);
  }
}

SimAnswer DeviceService::serve(const SimCall& call, json& state) {
  static_cast<void>(catalogue(state));
  if (!detached_by(call).empty()) return serve_without_device(call, state);
  SimAnswer done = changes(call) ? serve_change(call, state) : DiskService::serve(call, state);
  if (done) agree(state);
  return done;
}

// The state stays as it was when there is no image for what it would tell of.
SimAnswer DeviceService::serve_change(const SimCall& call, json& state) {
  json after = state;
  SimAnswer done = DiskService::serve(call, after);
  if (!done) return done;
  if (const Status there = check_lost(state, after); !there) {
    return tl::unexpected(Failure{kForbidden, "InvalidDisk.ContentLost", there.error().message});
  }
  if (const Status made = make_images(after); !made) {
    note_(made.error().message);
    return broken(made.error());
  }
  note_deleted(after);
  state = std::move(after);
  return done;
}

// The device goes first, so that nobody writes to what another machine has.
SimAnswer DeviceService::serve_without_device(const SimCall& call, json& state) {
  const std::string id = detached_by(call);
  json after = state;
  SimAnswer done = DiskService::serve(call, after);
  if (!done) return done;
  const DiskCatalogue all = catalogue(after);
  const json& disk = after["disks"][id];
  if (const Status gone = agree_on(id, disk, node_of(all.attachments(disk))); !gone) {
    if (gone.error().code != Code::kFailedPrecondition) return broken(gone.error());
    return tl::unexpected(Failure{kForbidden, "OperationConflict", gone.error().message});
  }
  state = std::move(after);
  return done;
}

}  // namespace holdfast::disk

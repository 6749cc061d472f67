#include "common/mount/kubelet_inventory.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "common/base/files.h"
#include "common/base/json.h"
#include "common/mount/device_free.h"

namespace holdfast::mount {
namespace {

namespace fs = std::filesystem;
using Kind = KubeletPlace::Kind;
using State = KubeletPlace::State;

constexpr const char* kNote = "vol_data.json";
constexpr std::size_t kMostNoteBytes = std::size_t{64} << 10;

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    paths.push_back(it->path());
  }
  std::ranges::sort(paths);
  return paths;
}

// kubelet's note of whose volume it is.
void read_note(const fs::path& file, KubeletPlace& place) {
  PosixFiles files;
  const auto text = files.read(file, kMostNoteBytes);
  if (!text || !*text) return;
  const auto note = parse_json(**text);
  if (!note || !note->is_object()) return;
  const auto text_of = [&](const char* key) {
    const auto found = note->find(key);
    return found != note->end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  place.driver = text_of("driverName");
  place.volume = text_of("volumeHandle");
}

class Inventory {
 public:
  Inventory(fs::path root, const std::vector<std::string>& drivers, const Mounts& mounts)
      : root_(std::move(root)), drivers_(drivers), mounts_(mounts) {}

  std::vector<KubeletPlace> take() {
    for (const std::string& driver : drivers_) {
      for (const fs::path& volume : entries_of(root_ / "plugins/kubernetes.io/csi" / driver)) {
        add(volume / "globalmount", Kind::kStaged, volume / kNote);
      }
    }
    for (const fs::path& pod : entries_of(root_ / "pods")) {
      for (const fs::path& volume : entries_of(pod / "volumes/kubernetes.io~csi")) {
        add(volume / "mount", Kind::kPublished, volume / kNote);
      }
      for (const fs::path& file : entries_of(pod / "volumeDevices/kubernetes.io~csi")) {
        add(file, Kind::kPublishedRaw, {});
      }
    }
    return std::move(places_);
  }

 private:
  void add(const fs::path& path, Kind kind, const fs::path& note) {
    const MountEntry* entry = mounted_at(mounts_, path.native());
    std::error_code error;
    if (entry == nullptr && !fs::exists(fs::symlink_status(path, error))) return;
    KubeletPlace place{.path = path.string(),
                       .kind = kind,
                       .state = State::kMounted,
                       .driver = {},
                       .volume = {},
                       .source = {}};
    if (!note.empty()) read_note(note, place);
    if (kind != Kind::kPublishedRaw && std::ranges::find(drivers_, place.driver) == drivers_.end()) {
      if (kind == Kind::kPublished || !place.driver.empty()) return;
    }
    if (entry != nullptr) {
      place.source = entry->source;
      place.state = is_device_gone(*entry) ? State::kBroken : State::kMounted;
    } else {
      const bool content =
          fs::is_directory(path, error) ? !fs::is_empty(path, error) : fs::file_size(path, error) > 0;
      place.state = !error && content ? State::kShadowed : State::kLeftOver;
    }
    places_.push_back(std::move(place));
  }

  fs::path root_;
  const std::vector<std::string>& drivers_;
  const Mounts& mounts_;
  std::vector<KubeletPlace> places_;
};

}  // namespace

Result<std::vector<KubeletPlace>> take_inventory(const std::string& root,
                                                 const std::vector<std::string>& drivers,
                                                 const Mounts& mounts) {
  std::error_code error;
  const fs::path real = fs::canonical(root, error);  // as mountinfo tells paths
  if (error) return fail_errno(error.value(), "list " + root);
  return Inventory(real, drivers, mounts).take();
}

std::vector<std::string> staged_volumes(const std::string& root, const std::string& driver) {
  const fs::path csi = fs::path(root) / "plugins/kubernetes.io/csi";
  std::vector<fs::path> notes;
  for (const char* const folder : {driver.c_str(), "pv"}) {
    for (const fs::path& volume : entries_of(csi / folder)) notes.push_back(volume / kNote);
  }
  for (const fs::path& volume : entries_of(csi / "volumeDevices")) notes.push_back(volume / "data" / kNote);
  std::set<std::string> handles;
  for (const fs::path& note : notes) {
    KubeletPlace place;
    read_note(note, place);
    if (place.driver == driver && !place.volume.empty()) handles.insert(place.volume);
  }
  return {handles.begin(), handles.end()};
}

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::kStaged:
      return "staged";
    case Kind::kPublished:
      return "published";
    case Kind::kPublishedRaw:
      break;
  }
  return "published raw";
}

std::string_view to_string(State state) {
  switch (state) {
    case State::kMounted:
      return "mounted";
    case State::kLeftOver:
      return "left over";
    case State::kShadowed:
      return "shadowed";
    case State::kBroken:
      break;
  }
  return "broken";
}

}  // namespace holdfast::mount

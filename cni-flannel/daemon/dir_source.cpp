#include "cni-flannel/daemon/dir_source.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <system_error>
#include <utility>

#include "cni-flannel/daemon/vtep_mac.h"

namespace holdfast::flannel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;
// Closed, not modified: what is still being written is not read.
constexpr std::uint32_t kChanges =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF;

bool is_document(const std::string& name) {
  if (name.starts_with('.')) return false;
  return name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json");
}

/// Fills in what every node can tell of another by its name.
void derive_missing(NodeNetwork& network) {
  if (network.backend_type.empty()) network.backend_type = kVxlanBackend;
  if (network.pod_cidr(IpFamily::kV4) != nullptr && !network.backend_data) {
    network.backend_data = BackendData{std::nullopt, derived_vtep_mac(network.node, IpFamily::kV4)};
  }
  if (network.pod_cidr(IpFamily::kV6) != nullptr && !network.backend_v6_data) {
    network.backend_v6_data = BackendData{std::nullopt, derived_vtep_mac(network.node, IpFamily::kV6)};
  }
}

/// Leaves of each node the last.
void keep_last_of_each(std::vector<NodeNetworkObject>& nodes) {
  NodeNames seen;
  std::vector<NodeNetworkObject> kept;
  kept.reserve(nodes.size());
  std::ranges::reverse(nodes);
  for (NodeNetworkObject& node : nodes) {
    if (seen.insert(node.identity.name).second) kept.push_back(std::move(node));
  }
  std::ranges::reverse(kept);
  nodes = std::move(kept);
}

}  // namespace

std::optional<NodeFolder::Stamp> NodeFolder::stamp_of(const fs::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return std::nullopt;
  const auto nanoseconds = [](const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; };
  return Stamp{info.st_ino, info.st_size, nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
}

void NodeFolder::read_file(const fs::path& path, File& file, std::vector<NodeNetworkObject>& out) {
  const auto note = [&](const std::string& why) { file.notes.push_back(path.native() + ": " + why); };
  const Result<std::optional<std::string>> text = files_.read(path, kMaxFileBytes);
  if (!text) return note(text.error().message);
  if (!text->has_value()) return;  // gone since the folder was listed
  Result<std::vector<DecodedDocument>> documents = decode_node_network_documents(**text);
  if (!documents) return note(documents.error().message);
  for (DecodedDocument& document : *documents) {
    if (!document) {
      note(document.error().message);
      continue;
    }
    derive_missing(document->network);
    file.names.push_back(document->identity.name);
    out.push_back(*std::move(document));
  }
}

void NodeFolder::read_changed(const std::vector<std::string>& names, FolderContent& out) {
  std::map<std::string, File> now;
  for (const std::string& name : names) {
    const std::optional<Stamp> stamp = is_document(name) ? stamp_of(folder_ / name) : std::nullopt;
    if (!stamp) continue;
    File& file = now[name];
    const auto before = known_.find(name);
    if (before != known_.end() && before->second.stamp == *stamp) {
      file = std::move(before->second);
      continue;
    }
    file.stamp = *stamp;
    read_file(folder_ / name, file, out.changed);
  }
  known_ = std::move(now);
}

/// Fills in what all known files say. Returns whether a node stands in two of them: then it counts in which,
/// not only what has changed.
bool NodeFolder::sum_up(FolderContent& out) const {
  bool rivals = false;
  out.names.clear();
  for (const auto& [name, file] : known_) {
    for (const std::string& node : file.names) rivals = !out.names.insert(node).second || rivals;
  }
  return rivals;
}

Result<FolderContent> NodeFolder::read() {
  std::error_code failed;
  if (!fs::is_directory(folder_, failed)) {
    return fail(Code::kNotFound, folder_.native() + " is not a folder; put the nodes' files there");
  }
  HOLDFAST_TRY(std::vector<std::string> names, files_.list(folder_));
  std::ranges::sort(names);
  FolderContent out;
  if (had_rivals_) known_.clear();
  read_changed(names, out);
  const bool rivals = sum_up(out);
  if (rivals && !had_rivals_) {
    known_.clear();
    out.changed.clear();
    read_changed(names, out);
  }
  had_rivals_ = rivals;
  keep_last_of_each(out.changed);
  for (const auto& [name, file] : known_) {
    out.notes.insert(out.notes.end(), file.notes.begin(), file.notes.end());
  }
  out.whole = out.notes.empty();
  return out;
}

Result<FolderWatch> FolderWatch::open(const fs::path& folder) {
  Fd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd.valid()) return fail_errno(errno, "watch " + folder.native());
  FolderWatch watch(std::move(fd), folder);
  HOLDFAST_CHECK(watch.watch_nearest());
  return watch;
}

Status FolderWatch::watch_nearest() {
  // a watch of the same folder twice is one watch, so nothing has to be taken back
  for (fs::path at = folder_;; at = at.parent_path()) {
    if (::inotify_add_watch(fd_.get(), at.c_str(), kChanges) >= 0) return {};
    if (errno != ENOENT || at == at.parent_path()) return fail_errno(errno, "watch " + at.native());
  }
}

Status FolderWatch::drain() {
  alignas(inotify_event) std::array<char, 4096> buffer{};
  while (::read(fd_.get(), buffer.data(), buffer.size()) > 0) {
  }
  return watch_nearest();
}

}  // namespace holdfast::flannel

#include "cni-flannel/daemon/dir_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>
#include <utility>

#include "cni-flannel/daemon/vtep_mac.h"

namespace holdfast::flannel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;
// Of a folder that kubelet mounts: a link to the one that holds the files, and what all others point to.
constexpr std::string_view kMounted = "..data";

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

/// Why nobody can be its peer; empty when nothing is lacking, or nobody is to be.
std::string lack_of(const NodeNetworkObject& document) {
  const NodeNetwork& network = document.network;
  if (!network.managed || !document.removed_at.empty() || !network.pod_cidrs.empty()) return "";
  if (network.public_ip || network.public_ipv6)
    return "has no podCidr below spec.flannel, so nobody is its peer";
  return "has neither podCidr nor publicIP below spec.flannel, so nobody is its peer; is the line 'flannel:' "
         "missing?";
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
  if (!text) {  // names the path itself
    const bool other_kind = text.error().code == Code::kFailedPrecondition;
    file.notes.push_back(text.error().message +
                         (other_kind ? " (links are not followed: put the file itself there)" : ""));
    return;
  }
  if (!text->has_value()) return;  // gone since the folder was listed
  Result<std::vector<DecodedDocument>> documents = decode_node_network_documents(**text);
  if (!documents) return note(documents.error().message);
  for (DecodedDocument& document : *documents) {
    if (!document) {
      note(document.error().message);
      continue;
    }
    const std::string lack = lack_of(*document);
    if (!lack.empty()) note("node " + document->identity.name + " " + lack);
    derive_missing(document->network);
    file.names.push_back(document->identity.name);
    out.push_back(*std::move(document));
  }
}

bool NodeFolder::concerned_by(const std::string& name) { return name == kMounted || is_document(name); }

/// Where the content of an entry is. Of links that are not as kubelet makes them, the link itself.
fs::path NodeFolder::path_of(const std::string& name) const {
  std::error_code failed;
  if (fs::read_symlink(folder_ / name, failed) != fs::path(kMounted) / name) return folder_ / name;
  const fs::path held = fs::read_symlink(folder_ / kMounted, failed);
  const bool beside = !held.empty() && held == held.filename() && held != "." && held != "..";
  if (!beside || !fs::is_directory(fs::symlink_status(folder_ / held, failed))) return folder_ / name;
  return folder_ / held / name;
}

void NodeFolder::look_at(const std::string& name, FolderContent& out) {
  const fs::path path = path_of(name);
  const std::optional<Stamp> stamp = stamp_of(path);
  if (!stamp) {
    known_.erase(name);
    return;
  }
  File& file = known_[name];
  if (file.stamp == *stamp) return;
  file = {*stamp, {}, {}};
  read_file(path, file, out.changed);
}

void NodeFolder::look_at_all(const std::vector<std::string>& names, FolderContent& out) {
  std::erase_if(known_, [&](const auto& entry) { return !std::ranges::binary_search(names, entry.first); });
  for (const std::string& name : names) {
    if (is_document(name)) look_at(name, out);
  }
}

/// Fills in what all known files say. Returns whether a node stands in two of them: then it counts in which,
/// not only what has changed.
bool NodeFolder::sum_up(FolderContent& out) const {
  bool rivals = false;
  out.names.clear();
  out.notes.clear();
  for (const auto& [name, file] : known_) {
    for (const std::string& node : file.names) rivals = !out.names.insert(node).second || rivals;
    out.notes.insert(out.notes.end(), file.notes.begin(), file.notes.end());
  }
  out.whole = out.notes.empty();
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
  look_at_all(names, out);
  const bool rivals = sum_up(out);
  if (rivals && !had_rivals_) {
    known_.clear();
    out.changed.clear();
    look_at_all(names, out);
  }
  had_rivals_ = rivals;
  keep_last_of_each(out.changed);
  return out;
}

Result<FolderContent> NodeFolder::read(const std::set<std::string>& names) {
  if (had_rivals_ || names.contains(std::string(kMounted))) return read();
  FolderContent out;
  for (const std::string& name : names) {
    if (is_document(name)) look_at(name, out);
  }
  if (sum_up(out)) {
    had_rivals_ = true;
    return read();
  }
  keep_last_of_each(out.changed);
  return out;
}

}  // namespace holdfast::flannel

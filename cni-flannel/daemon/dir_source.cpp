#include "cni-flannel/daemon/dir_source.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
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

void note(DirListing& out, const fs::path& file, const std::string& why) {
  out.whole = false;
  out.notes.push_back(file.native() + ": " + why);
}

void read_file(Files& files, const fs::path& file, DirListing& out) {
  const Result<std::optional<std::string>> text = files.read(file, kMaxFileBytes);
  if (!text) return note(out, file, text.error().message);
  if (!text->has_value()) return;  // gone since the folder was listed
  Result<std::vector<DecodedDocument>> documents = decode_node_network_documents(**text);
  if (!documents) return note(out, file, documents.error().message);
  for (DecodedDocument& document : *documents) {
    if (!document) {
      note(out, file, document.error().message);
      continue;
    }
    derive_missing(document->network);
    std::erase_if(out.nodes,
                  [&](const auto& other) { return other.identity.name == document->identity.name; });
    out.nodes.push_back(*std::move(document));
  }
}

}  // namespace

Result<DirListing> read_node_networks(Files& files, const fs::path& folder) {
  std::error_code failed;
  if (!fs::is_directory(folder, failed)) {
    return fail(Code::kNotFound, folder.native() + " is not a folder; put the nodes' files there");
  }
  HOLDFAST_TRY(std::vector<std::string> names, files.list(folder));
  std::ranges::sort(names);
  DirListing out;
  for (const std::string& name : names) {
    if (is_document(name)) read_file(files, folder / name, out);
  }
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

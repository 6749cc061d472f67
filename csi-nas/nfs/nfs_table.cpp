#include "csi-nas/nfs/nfs_table.h"

#include <algorithm>
#include <charconv>

#include "common/base/text.h"

namespace holdfast::nas {
namespace {

bool is_of_file_system(const mount::MountEntry& entry, const mount::MountEntry& share) {
  return is_nfs(entry) && entry.major == share.major && entry.minor == share.minor;
}

bool are_of_other_groups(const mount::MountEntry& a, const mount::MountEntry& b) {
  return a.shared != 0 && b.shared != 0 && a.shared != b.shared;
}

}  // namespace

bool is_nfs(const mount::MountEntry& entry) { return entry.type == "nfs" || entry.type == "nfs4"; }

std::optional<ServerAddress> server_of(const mount::MountEntry& entry) {
  if (!is_nfs(entry)) return std::nullopt;
  ServerAddress server;
  std::string_view rest = entry.super_options;
  while (!rest.empty()) {
    std::string_view value = take_until(rest, ',');
    const std::string_view name = take_until(value, '=');
    if (name == "addr") server.address = canonical_address(std::string(value));
    std::uint16_t port = 0;
    const char* end = value.data() + value.size();
    if (name == "port" && std::from_chars(value.data(), end, port).ptr == end && port != 0)
      server.port = port;
  }
  return server.address.empty() ? std::nullopt : std::optional(std::move(server));
}

bool locks_at_server(const mount::MountEntry& entry) {
  if (!is_nfs(entry)) return false;
  bool version3 = false;
  std::string_view rest = entry.super_options;
  while (!rest.empty()) {
    const std::string_view word = take_until(rest, ',');
    if (word == "nolock" || word == "local_lock=all") return false;
    version3 = version3 || word == "vers=3";
  }
  return version3;
}

bool is_at_or_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) &&
         (path.size() == folder.size() || folder.ends_with('/') || path[folder.size()] == '/');
}

std::set<ServerAddress> servers_below(const mount::Mounts& mounts, std::string_view folder) {
  std::set<ServerAddress> servers;
  for (const mount::MountEntry& entry : mounts) {
    if (!is_at_or_below(entry.target, folder)) continue;
    if (const auto server = server_of(entry)) servers.insert(*server);
  }
  return servers;
}

std::string source_of_part(const std::string& share, const std::string& part) {
  if (part.empty()) return share;
  return share + (share.ends_with('/') ? "" : "/") + part;
}

bool show_the_same(const mount::MountEntry& a, const mount::MountEntry& b) {
  return is_of_file_system(a, b) && a.source == b.source && a.root == b.root;
}

bool is_older_than(const mount::MountEntry& entry, const mount::MountEntry& now) {
  return is_nfs(entry) && is_nfs(now) && entry.source == now.source && server_of(entry) == server_of(now) &&
         (!show_the_same(entry, now) || are_of_other_groups(entry, now));
}

std::string shown_by(const mount::MountEntry& entry) {
  return entry.source + (entry.root == "/" ? "" : entry.root);
}

bool is_used_outside(const mount::Mounts& mounts, const mount::MountEntry& share, std::string_view folder) {
  return std::ranges::any_of(mounts, [&](const mount::MountEntry& entry) {
    return is_of_file_system(entry, share) && is_at_or_below(entry.source, share.source) &&
           !is_at_or_below(entry.target, folder);
  });
}

}  // namespace holdfast::nas

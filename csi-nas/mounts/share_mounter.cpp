#include "csi-nas/mounts/share_mounter.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace holdfast::nas {
namespace {

constexpr std::chrono::milliseconds kSettledPatience{2200};

bool is_address(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 || host.find(':') != std::string::npos;
}

// nfs-ganesha answers by version 3 that a folder which is not there is not exported.
bool may_be_missing(const Error& error) {
  return error.code == Code::kNotFound || error.code == Code::kPermissionDenied;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

// What of `path` is below `parent`.
std::string below(const std::string& path, const std::string& parent) {
  return path.substr(parent == "/" ? 1 : parent.size() + 1);
}

}  // namespace

Result<ServerAddress> ShareMounter::address_of(const NasShare& share, const NasOptions& options,
                                               Deadline deadline) {
  if (is_address(share.host)) return ServerAddress{canonical_address(share.host), options.port};
  HOLDFAST_TRY(std::string address,
               calls_.resolve(share.host, std::min<Patience>(asks_.left(deadline), kSettledPatience)));
  address = canonical_address(address);
  const std::scoped_lock lock(mutex_);
  addresses_[share.host] = address;
  return ServerAddress{std::move(address), options.port};
}

std::optional<ServerAddress> ShareMounter::known_address(const NasShare& share,
                                                         const NasOptions& options) const {
  if (is_address(share.host)) return ServerAddress{canonical_address(share.host), options.port};
  const std::scoped_lock lock(mutex_);
  const auto found = addresses_.find(share.host);
  if (found == addresses_.end()) return std::nullopt;
  return ServerAddress{found->second, options.port};
}

// The first server that lives.
Result<ReachedShare> ShareMounter::reach(const NasSource& source, Deadline deadline) {
  std::optional<Error> first;
  for (const NasShare& share : source.shares) {
    const auto server = address_of(share, source.options, deadline);
    std::optional<Error> error;
    if (!server) {
      error = server.error();
      error->code = Code::kUnavailable;
    } else {
      const ServerHealth health =
          servers_.settled(*server, std::min<Patience>(asks_.left(deadline), kSettledPatience));
      if (health.state == ServerState::kAlive) return ReachedShare{share, *server};
      error = no_answer(*server, health);
    }
    if (!first) first = std::move(error);
  }
  return tl::unexpected(*std::move(first));
}

// Where it was when there was no more time, as on a server that is far away: else it would never end.
std::string ShareMounter::first_parent(const MountKey& key, const std::string& path) const {
  const std::scoped_lock lock(mutex_);
  const auto found = parents_.find(key);
  return found == parents_.end() ? parent_of(path) : found->second;
}

Status ShareMounter::make_missing(const NasSource& source, const ReachedShare& reached, const std::string& at,
                                  Deadline deadline) {
  const std::string& path = reached.share.path;
  const mount::MountOptions options = kernel_options(source.options, reached.server.address);
  const MountKey key{reached.share.source(), options.data};
  std::optional<Error> nearest;
  for (std::string parent = first_parent(key, path);; parent = parent_of(parent)) {
    const MakeFolderRequest request{.source = NasShare{reached.share.host, parent}.source(),
                                    .options = options,
                                    .at = at,
                                    .path = below(path, parent)};
    Status done = asks_.ask(reached.server, deadline, [&](Patience patience) {
      return calls_.make_folder(reached.server.text(), request, patience);
    });
    const bool late = !done && done.error().code == Code::kUnavailable;
    if (!done && !nearest) nearest = done.error();
    if (!late && !done && may_be_missing(done.error()) && parent != "/") continue;
    const std::scoped_lock lock(mutex_);
    if (late) {
      parents_[key] = parent;
    } else {
      parents_.erase(key);
    }
    // By version 4 the last is the server's own tree, in which nothing can be made: that it cannot says
    // little.
    if (!done && done.error().sys_errno == EROFS) return tl::unexpected(*std::move(nearest));
    return done;
  }
}

Status ShareMounter::mount(const NasSource& source, const ReachedShare& reached, const std::string& target,
                           Deadline deadline) {
  HOLDFAST_CHECK(prepare_locks(source, deadline));
  const MountShareRequest request{.source = reached.share.source(),
                                  .options = kernel_options(source.options, reached.server.address),
                                  .target = target};
  const auto mount_now = [&](Patience patience) {
    return calls_.mount(reached.server.text(), request, patience);
  };
  Status done = asks_.ask(reached.server, deadline, mount_now);
  const bool makes = !request.options.read_only() && !source.must_exist && reached.share.path != "/";
  if (done || !may_be_missing(done.error()) || !makes) return done;
  const Status made = make_missing(source, reached, target, deadline);
  if (!made && done.error().code == Code::kPermissionDenied && may_be_missing(made.error())) return done;
  if (!made)
    return tl::unexpected(Error(made.error()).within("make the missing folder of " + request.source));
  return asks_.ask(reached.server, deadline, mount_now);
}

Status ShareMounter::prepare_locks(const NasSource& source, Deadline deadline) {
  if (!locks_at_server(source.options)) return {};
  Status done = calls_.start_lock_services(asks_.left(deadline));
  if (done || done.error().code != Code::kDeadlineExceeded) return done;
  return fail(Code::kUnavailable, done.error().message);
}

}  // namespace holdfast::nas

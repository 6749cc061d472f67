#include "csi-nas/nascmd/verbs.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "common/base/text.h"
#include "csi-nas/nfs/child_messages.h"
#include "csi-nas/nfs/nfs_table.h"

namespace holdfast::nas {
namespace {

constexpr mode_t kFolderMode = 0750;
constexpr mode_t kVolumeMode = 0755;

std::string path_of(const Fd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

struct FreesAddresses {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

Result<std::string> text_of(const addrinfo& found) {
  std::array<char, NI_MAXHOST> text{};
  if (::getnameinfo(found.ai_addr, found.ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) !=
      0) {
    return fail(Code::kInternal, "an address of an unknown family");
  }
  return std::string(text.data());
}

// Whether what is asked for is `there`, and nothing else.
Result<bool> is_mounted(const std::optional<mount::MountEntry>& there, const MountShareRequest& request) {
  if (!there) return false;
  if (is_nfs(*there) && there->source == request.source) return true;
  return fail(Code::kAlreadyExists, request.target + " has something else mounted: " + there->source);
}

// A folder of ours to mount on.
struct OwnFolder {
  mount::Place place;
  Fd folder;
  /// When it is not used after all.
  void remove() const { ::unlinkat(place.parent.get(), place.name.c_str(), AT_REMOVEDIR); }
};

Result<OwnFolder> own_folder(const mount::Beneath& beneath, const std::string& target) {
  HOLDFAST_TRY(mount::Place place, beneath.make_place(target));
  if (::mkdirat(place.parent.get(), place.name.c_str(), kFolderMode) != 0 && errno != EEXIST) {
    return fail_errno(errno, "make " + target);
  }
  HOLDFAST_TRY(std::optional<Fd> folder, beneath.find(target));
  if (!folder) return fail(Code::kUnavailable, target + " was taken away by somebody");
  return OwnFolder{std::move(place), *std::move(folder)};
}

// What the kernel says when a flavour of security cannot be used.
bool is_of_security(int error) {
  return error == EACCES || error == EPERM || error == EINVAL || error == EPROTONOSUPPORT ||
         error == EKEYEXPIRED || error == ENOKEY;
}

Status mount_nfs(const std::string& source, const mount::MountOptions& options, const Fd& folder) {
  if (::mount(source.c_str(), path_of(folder).c_str(), "nfs", options.flags, options.data.c_str()) == 0)
    return {};
  const int error = errno;
  if (error == ENODEV) {
    return fail(Code::kFailedPrecondition, "this kernel does not know NFS: load the modules nfsv3 and nfsv4");
  }
  std::string what = "mount " + source + " (" + options.data + ")";
  if (error == ENOTDIR) return fail(Code::kFailedPrecondition, source + " is a file: name a folder");
  if (error == ECONNREFUSED) {
    return fail(Code::kUnavailable, what +
                                        ": the server refuses connections to its NFS or, by version 3, its "
                                        "mountd: does that run there, on the port that mountport names?");
  }
  if (options.data.find("sec=krb5") != std::string::npos && is_of_security(error)) {
    return fail(Code::kFailedPrecondition,
                what + ": Kerberos needs rpc.gssd and a keytab on this node, and an export with that sec");
  }
  if (error == EPERM || error == EACCES) {
    what += ", which must be exported to this node, and for noresvport with the server's option insecure";
  }
  return fail_errno(error, what);
}

tl::unexpected<Error> failed_below(const char* verb, const std::string& name, const std::string& path) {
  const int error = errno;
  const std::string what = std::string(verb) + " '" + name + "' of " + path;
  if (error == ENOTDIR || error == ELOOP) {
    return fail(Code::kFailedPrecondition, what + ": a file or a link is there");
  }
  if (error == EROFS) {
    return fail_errno(error, what +
                                 ", which is missing on a share that is exported read-only: make it on the "
                                 "server");
  }
  return fail_errno(error, what);
}

Fd open_in(const Fd& folder, const std::string& name) {
  return Fd(::openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// The folder `path` below `top`, with its missing parents. A share that is read-only says so where something
// is missing, and not before.
Status make_below(Fd top, const std::string& path) {
  Fd here = std::move(top);
  std::string_view rest = path;
  ::umask(~kVolumeMode & 0777U);
  while (!rest.empty()) {
    const std::string name(take_until(rest, '/'));
    if (name.empty() || name == "." || name == "..") {
      return fail(Code::kInvalidArgument, "the folder '" + path + "' is not below its share");
    }
    Fd next = open_in(here, name);
    if (!next.valid() && errno == ENOENT) {
      if (::mkdirat(here.get(), name.c_str(), 0777) != 0 && errno != EEXIST) {
        return failed_below("make", name, path);
      }
      next = open_in(here, name);
    }
    if (!next.valid()) return failed_below("open", name, path);
    here = std::move(next);
  }
  return {};
}

// In a mount namespace of its own. What was opened before is of the one that was left.
Status make_in_share(const std::string& root, const MakeFolderRequest& request) {
  HOLDFAST_TRY(const mount::Beneath beneath, mount::Beneath::open(root));
  HOLDFAST_TRY(const std::optional<Fd> folder, beneath.find(request.at));
  if (!folder) return fail(Code::kUnavailable, request.at + " was taken away by somebody");
  HOLDFAST_CHECK(mount_nfs(request.source, request.options, *folder));
  HOLDFAST_TRY(const std::optional<Fd> share, beneath.find(request.at));
  Fd top(share ? ::openat(share->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1);
  if (!top.valid()) return fail_errno(errno, "open " + request.source);
  return make_below(std::move(top), request.path);
}

// What is mounted there now, the first below the others.
Result<mount::Mounts> layers_at(const Ground& ground, const std::string& target) {
  HOLDFAST_TRY(const std::string name, ground.beneath.resolved(target));
  HOLDFAST_TRY(const auto mounts, ground.table->now());
  mount::Mounts layers;
  std::ranges::copy_if(*mounts, std::back_inserter(layers),
                       [&](const mount::MountEntry& entry) { return entry.target == name; });
  return layers;
}

// No more than was there at the beginning: what is mounted while one of them waits is somebody's anew.
Status unmount_layers(const Ground& ground, const mount::Place& place, const UnmountRequest& request) {
  const int flags = UMOUNT_NOFOLLOW | (request.how == Unmount::kLazily ? MNT_DETACH : 0);
  HOLDFAST_TRY(mount::Mounts layers, layers_at(ground, request.target));
  for (; !layers.empty(); layers.pop_back()) {
    const mount::MountEntry& top = layers.back();
    if (!is_nfs(top)) {
      return fail(Code::kFailedPrecondition,
                  request.target + " has something else mounted: " + top.source + top.root);
    }
    // EINVAL: somebody else took it away meanwhile.
    if (::umount2(place.path().c_str(), flags) != 0 && errno != EINVAL) {
      return fail_errno(errno, "unmount " + request.target);
    }
  }
  return {};
}

// One on which something is mounted is busy.
Status remove_folder(const mount::Place& place, const std::string& target) {
  if (::unlinkat(place.parent.get(), place.name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
  if (errno == ENOTEMPTY) return fail(Code::kFailedPrecondition, target + " is not empty: somebody's data");
  return fail_errno(errno, "remove " + target);
}

}  // namespace

Result<Ground> open_ground(const std::string& root) {
  HOLDFAST_TRY(mount::Beneath beneath, mount::Beneath::open(root));
  HOLDFAST_TRY(auto mounter, mount::make_mounter(root));
  HOLDFAST_TRY(auto table, mount::MountTable::open());
  return Ground{
      .root = root, .beneath = std::move(beneath), .mounter = std::move(mounter), .table = std::move(table)};
}

Result<std::string> resolve_host(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    return fail(Code::kUnavailable,
                "the NFS server's name " + host + " has no address now: " + ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, FreesAddresses> list(found);
  for (const addrinfo* each = list.get(); each != nullptr; each = each->ai_next) {
    if (each->ai_family == AF_INET) return text_of(*each);
  }
  return text_of(*list);
}

Status mount_share(const Ground& ground, const MountShareRequest& request) {
  HOLDFAST_TRY(const auto there, ground.mounter->entry_at(request.target));
  HOLDFAST_TRY(const bool mounted, is_mounted(there, request));
  if (mounted) return {};
  HOLDFAST_TRY(const OwnFolder own, own_folder(ground.beneath, request.target));
  Status done = mount_nfs(request.source, request.options, own.folder);
  if (!done) own.remove();
  return done;
}

Status make_folder(const Ground& ground, const MakeFolderRequest& request) {
  HOLDFAST_TRY(const OwnFolder own, own_folder(ground.beneath, request.at));
  if (::unshare(CLONE_NEWNS) != 0) return fail_errno(errno, "make a mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return fail_errno(errno, "make the mounts private");
  }
  Status done = make_in_share(ground.root, request);
  // The folder of the other namespace, where nothing is mounted on it.
  if (!done) own.remove();
  return done;
}

Status set_mode(const Ground& ground, const std::string& path, mode_t mode) {
  HOLDFAST_TRY(const std::optional<Fd> folder, ground.beneath.find(path));
  if (!folder) return fail(Code::kNotFound, path + " is not there");
  struct stat info {};
  if (::fstat(folder->get(), &info) != 0) return fail_errno(errno, "look at " + path);
  if ((info.st_mode & 07777U) == mode) return {};
  return ::chmod(path_of(*folder).c_str(), mode) == 0
             ? Status{}
             : Status(fail_errno(errno, "change the mode of " + path));
}

// A bind of what is mounted asks the server nothing, and so would show also what it has forgotten. For a
// folder that was removed it may go on to answer: as for one that has no name any more.
Status check_known(const Fd& found, const std::string& path) {
  struct statx info {};
  if (::statx(found.get(), "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_NLINK, &info) != 0) {
    return fail_errno(errno, "look at " + path);
  }
  if (info.stx_nlink != 0) return {};
  return fail_errno(ESTALE, "look at " + path + ", which was removed on the server");
}

Status bind_part(const Ground& ground, const BindRequest& request) {
  HOLDFAST_TRY(const std::optional<Fd> source, ground.beneath.find(request.source));
  if (source) HOLDFAST_CHECK(check_known(*source, request.source));
  if (request.make_parents) HOLDFAST_CHECK(ground.beneath.make_place(request.target));
  return ground.mounter->publish({.source = request.source,
                                  .target = request.target,
                                  .read_only = request.read_only,
                                  .part = request.part});
}

Status unmount(const Ground& ground, const UnmountRequest& request) {
  HOLDFAST_TRY(const std::optional<mount::Place> place, ground.beneath.place_of(request.target));
  if (!place) return {};
  HOLDFAST_CHECK(unmount_layers(ground, *place, request));
  return request.remove ? remove_folder(*place, request.target) : Status{};
}

Result<std::string> look_at(const Ground& ground, const std::string& path) {
  HOLDFAST_TRY(const std::optional<Fd> found, ground.beneath.find(path));
  struct statvfs space {};
  if (!found) return fail(Code::kNotFound, path + " is not there");
  HOLDFAST_CHECK(check_known(*found, path));
  if (::fstatvfs(found->get(), &space) != 0) return fail_errno(errno, "look at " + path);
  const auto used = [](std::uint64_t all, std::uint64_t free) { return all - std::min(all, free); };
  return write_usage({.total_bytes = std::uint64_t{space.f_blocks} * space.f_frsize,
                      .available_bytes = std::uint64_t{space.f_bavail} * space.f_frsize,
                      .used_bytes = used(space.f_blocks, space.f_bfree) * space.f_frsize,
                      .total_inodes = space.f_files,
                      .available_inodes = space.f_favail,
                      .used_inodes = used(space.f_files, space.f_ffree)});
}

}  // namespace holdfast::nas

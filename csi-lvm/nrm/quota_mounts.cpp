#include "csi-lvm/nrm/quota_mounts.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <system_error>

#include "common/mount/mount_options.h"
#include "common/mount/mount_table.h"
#include "common/mount/mounter.h"

namespace holdfast::nrm {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::minutes kPatience{10};  // for mkfs or a check of a large disk
constexpr std::chrono::seconds kStep{5};       // of the reading of a whole device, between other work

std::string device_of(const mount::MountEntry& entry) {
  std::error_code error;
  const std::string number = std::to_string(entry.major) + ":" + std::to_string(entry.minor);
  const fs::path link = fs::read_symlink(fs::path("/sys/dev/block") / number, error);
  return error ? entry.source : link.filename().string();
}

Result<std::string> in_the_way_at(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::not_found) return "";
  if (error) return fail_errno(error.value(), "look at " + path);
  if (status.type() != fs::file_type::directory) return path + " is no folder: take it away";
  const bool empty = fs::is_empty(path, error);
  if (error) return fail_errno(error.value(), "look into " + path);
  return empty ? "" : "the folder " + path + " has files in it, which a mount would cover: move them away";
}

}  // namespace

Result<FolderFacts> SystemQuotaMounts::look_at(const std::string& path) {
  HOLDFAST_TRY(const auto table, mount::MountTable::open());
  HOLDFAST_TRY(const auto mounts, table->now());
  FolderFacts facts;
  if (const mount::MountEntry* entry = mount::mounted_at(*mounts, path); entry != nullptr) {
    facts.mounted = device_of(*entry);
    return facts;
  }
  HOLDFAST_TRY(facts.in_the_way, in_the_way_at(path));
  return facts;
}

Status SystemQuotaMounts::mount(const QuotaMount& wanted, block::ProvenanceRecord& record) {
  block::PrepareRequest request;
  request.volume = wanted.path;
  request.device = wanted.device;
  request.provenance = wanted.provenance;
  request.fs_type = wanted.fs_type;
  if (wanted.fs_type == "ext4") request.mkfs_options = {"-O", "project,quota"};
  const auto until = std::chrono::steady_clock::now() + kStep;
  const auto is_late = [until] { return std::chrono::steady_clock::now() >= until; };
  HOLDFAST_TRY(const std::string fs_type, preparer_.prepare(request, record, kPatience, is_late));
  HOLDFAST_TRY(mount::MountOptions options, mount::parse_mount_options(fs_type, {"prjquota"}));
  // below the first folder, which is there; those between are made
  HOLDFAST_TRY(const auto mounter, mount::make_mounter(wanted.path.substr(0, wanted.path.find('/', 1))));
  return mounter->stage(
      {.device = wanted.device, .fs_type = fs_type, .target = wanted.path, .options = std::move(options)});
}

}  // namespace holdfast::nrm

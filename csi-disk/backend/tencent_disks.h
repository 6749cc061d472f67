#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "common/cloud/api.h"
#include "csi-disk/backend/disk_backend.h"

namespace holdfast::disk {

/// DiskBackend by the APIs of Tencent Cloud: CBS for disks, CVM for nodes, the tag service for tags. What
/// they lack is made up for:
///
/// * ResizeDisk and CreateSnapshot take no token. A disk that has the size is left alone; a snapshot of that
///   disk which is called so is the one that the call made before.
/// * DetachDisks takes a disk from whatever node has it; so the disk is looked at first.
/// * Lists go by offsets. What is deleted while one is read moves the rest: an item may be missed then.
/// * Sizes go by steps of 10 GiB. Others are refused, as the cloud would.
/// * There is always a zone: the first that has the type, when none is told.
/// * Devices tell the disk's id as their serial number.
///
/// Source: https://www.tencentcloud.com/document/product/362/15634
class TencentDisks final : public DiskBackend {
 public:
  static constexpr std::string_view kVersion = "2017-03-12";  ///< of CBS and of CVM
  static constexpr std::string_view kTagVersion = "2018-08-13";

  struct Apis {
    cloud::TencentApi& cbs;
    cloud::TencentApi& cvm;
    cloud::TencentApi& tag;
  };

  /// "https://cbs.tencentcloudapi.com" of "cbs".
  [[nodiscard]] static std::string url_of(const std::string& product);

  /// All of `apis` are of one region, and outlive it, as `clock` does.
  TencentDisks(Apis apis, std::string region, Clock& clock)
      : apis_(apis), region_(std::move(region)), clock_(clock) {}

  [[nodiscard]] Abilities abilities() const override;
  Answer<std::string> create_disk(const DiskSpec& spec, const std::string& token, Deadline deadline) override;
  Done delete_disk(const std::string& id, Deadline deadline) override;
  Answer<std::vector<Disk>> disks(const std::vector<std::string>& ids, Deadline deadline) override;
  Answer<std::vector<Disk>> disks_named(const std::string& name, Deadline deadline) override;
  Answer<Page<Disk>> list_disks(const std::string& from, std::uint32_t most, Deadline deadline) override;
  Done attach_disk(const std::string& disk, const std::string& node, Deadline deadline) override;
  Done detach_disk(const std::string& disk, const std::string& node, Deadline deadline) override;
  Done grow_disk(const std::string& disk, std::uint64_t gib, const std::string& token,
                 Deadline deadline) override;
  Done modify_disk(const std::string& disk, const Performance& performance, const std::string& token,
                   Deadline deadline) override;
  Done tag_disk(const std::string& disk, const Tags& set, const std::vector<std::string>& unset,
                Deadline deadline) override;
  Answer<std::string> create_snapshot(const SnapshotSpec& spec, const std::string& token,
                                      Deadline deadline) override;
  Done delete_snapshot(const std::string& id, Deadline deadline) override;
  Answer<std::vector<Snapshot>> snapshots(const std::vector<std::string>& ids, Deadline deadline) override;
  Answer<std::vector<Snapshot>> snapshots_named(const std::string& name, Deadline deadline) override;
  Answer<Page<Snapshot>> list_snapshots(const std::string& disk, const std::string& from, std::uint32_t most,
                                        Deadline deadline) override;
  Answer<std::optional<NodeFacts>> node(const std::string& id, Deadline deadline) override;
  Answer<std::vector<std::string>> types_in_stock(const std::string& zone, Deadline deadline) override;

 private:
  Answer<Page<Disk>> some_disks(const nlohmann::json& filter, Deadline deadline);
  Answer<Page<Snapshot>> some_snapshots(const nlohmann::json& filter, Deadline deadline);
  /// All pages: a cloud may answer less than a page has room for, and say that there is more.
  Answer<std::vector<Disk>> all_disks(const nlohmann::json& filter, Deadline deadline);
  Answer<std::vector<Snapshot>> all_snapshots(const nlohmann::json& filter, Deadline deadline);
  /// Errors: kNoSuchThing as that of CBS when it is not there.
  Answer<Disk> one_disk(const std::string& id, Deadline deadline);
  Answer<std::string> zone_with(const std::string& type, Deadline deadline);

  const Apis apis_;
  const std::string region_;
  Clock& clock_;
};

}  // namespace holdfast::disk

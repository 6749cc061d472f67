#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "common/cloud/api.h"
#include "csi-disk/backend/disk_backend.h"

namespace holdfast::disk {

/// DiskBackend by the API of Alibaba Cloud ECS. Disks are data disks, paid as they go, that outlive the
/// machines that they are attached to. A disk's class is asked for by modify_disk() in one call and its
/// bursting in another, so one may be done and the other not when it fails: a caller asks again.
/// Source: https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-overview
class AlibabaDisks final : public DiskBackend {
 public:
  static constexpr std::string_view kVersion = "2014-05-26";

  /// "https://ecs.cn-beijing.aliyuncs.com".
  [[nodiscard]] static std::string url_of(const std::string& region);

  /// `api` is of kVersion, and outlives it.
  AlibabaDisks(cloud::AlibabaApi& api, std::string region) : api_(api), region_(std::move(region)) {}

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
  Answer<nlohmann::json> ask(std::string action, cloud::Parameters parameters, Deadline deadline,
                             std::string token = {});
  Done tell(std::string action, cloud::Parameters parameters, Deadline deadline, std::string token = {});
  Answer<Page<Disk>> some_disks(cloud::Parameters filter, Deadline deadline);
  Answer<Page<Snapshot>> some_snapshots(cloud::Parameters filter, Deadline deadline);
  /// All pages: a cloud may answer less than a page has room for, and say that there is more.
  Answer<std::vector<Disk>> all_disks(const cloud::Parameters& filter, Deadline deadline);
  Answer<std::vector<Snapshot>> all_snapshots(const cloud::Parameters& filter, Deadline deadline);
  /// Errors: kNoSuchThing as that of ECS when it is not there.
  Answer<Disk> one_disk(const std::string& id, Deadline deadline);
  Answer<std::optional<std::uint32_t>> attach_limit_of(const std::string& type, Deadline deadline);

  cloud::AlibabaApi& api_;
  const std::string region_;
};

}  // namespace holdfast::disk

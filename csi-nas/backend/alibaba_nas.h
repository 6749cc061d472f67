#pragma once

#include <string>
#include <string_view>

#include "common/cloud/api.h"
#include "csi-nas/backend/nas_backend.h"

namespace holdfast::nas {

/// NasBackend by the API of Alibaba Cloud NAS.
/// Source: https://www.alibabacloud.com/help/en/nas/developer-reference/api-nas-2017-06-26-overview
class AlibabaNas final : public NasBackend {
 public:
  static constexpr std::string_view kVersion = "2017-06-26";

  /// "https://nas.cn-beijing.aliyuncs.com".
  [[nodiscard]] static std::string url_of(const std::string& region);

  /// `api` is of kVersion, and outlives it.
  AlibabaNas(cloud::AlibabaApi& api, std::string region) : api_(api), region_(std::move(region)) {}

  Answer<std::string> create_file_system(const FileSystemSpec& spec, const std::string& token,
                                         Deadline deadline) override;
  Answer<std::vector<FileSystem>> file_systems(const std::string& label, Deadline deadline) override;
  cloud::Done grow_file_system(const std::string& id, std::uint64_t gib, const std::string& token,
                               Deadline deadline) override;
  cloud::Done delete_file_system(const std::string& id, Deadline deadline) override;
  cloud::Done create_mount_target(const MountTargetSpec& spec, Deadline deadline) override;
  Answer<std::vector<MountTarget>> mount_targets(const std::string& file_system, Deadline deadline) override;
  cloud::Done delete_mount_target(const std::string& file_system, const std::string& domain,
                                  Deadline deadline) override;
  cloud::Done create_access_point(const AccessPointSpec& spec, Deadline deadline) override;
  Answer<std::vector<AccessPoint>> access_points(const std::string& file_system, const std::string& name,
                                                 Deadline deadline) override;
  cloud::Done delete_access_point(const std::string& file_system, const std::string& id,
                                  Deadline deadline) override;
  cloud::Done set_quota(const std::string& file_system, const std::string& path, std::uint64_t gib,
                        Deadline deadline) override;
  cloud::Done cancel_quota(const std::string& file_system, const std::string& path,
                           Deadline deadline) override;

 private:
  cloud::Done run(const cloud::AlibabaApi::Call& call);

  cloud::AlibabaApi& api_;
  const std::string region_;
};

/// What is in the answers of DescribeFileSystems, DescribeMountTargets and DescribeAccessPoints. Errors:
/// kUnknownOutcome for an answer of another shape. For tests and for AlibabaNas.
[[nodiscard]] cloud::Answer<std::vector<FileSystem>> read_file_systems(const nlohmann::json& answer);
[[nodiscard]] cloud::Answer<std::vector<MountTarget>> read_mount_targets(const nlohmann::json& answer);
[[nodiscard]] cloud::Answer<std::vector<AccessPoint>> read_access_points(const nlohmann::json& answer);

}  // namespace holdfast::nas

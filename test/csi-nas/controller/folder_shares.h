#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "csi-nas/controller/share_access.h"

namespace holdfast::nas::test {

/// Shares that are folders: "10.0.0.5:/exports/a" is <folder>/10.0.0.5:_exports_a.
class FolderShares final : public ShareAccess {
 public:
  explicit FolderShares(std::filesystem::path folder) : folder_(std::move(folder)) {}
  Result<std::string> mounted_at(const NasSource& source, std::chrono::milliseconds /*patience*/) override {
    if (!answers(source)) return fail(Code::kUnavailable, "the server does not answer");
    if (refusing != 0) return fail_errno(refusing, "mount");
    const std::filesystem::path path = path_of(source.shares.front().source());
    std::filesystem::create_directories(path);
    return path.native();
  }
  [[nodiscard]] std::string address_of(const NasSource& source,
                                       std::chrono::milliseconds /*patience*/) override {
    const auto found = names.find(source.shares.front().host);
    return found == names.end() ? source.shares.front().host : found->second;
  }
  [[nodiscard]] bool answers(const NasSource& source) override {
    return !dead.contains(source.shares.front().host);
  }
  [[nodiscard]] std::filesystem::path path_of(std::string source) const {
    std::replace(source.begin(), source.end(), '/', '_');
    return folder_ / source;
  }
  std::set<std::string> dead;
  std::map<std::string, std::string> names;  ///< addresses of hosts; of others the host itself
  int refusing = 0;                          ///< the errno of all mounts; 0: they succeed

 private:
  std::filesystem::path folder_;
};

}  // namespace holdfast::nas::test

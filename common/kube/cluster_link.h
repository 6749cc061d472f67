#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/flags.h"
#include "common/base/metrics.h"
#include "common/base/result.h"
#include "common/kube/config.h"
#include "common/kube/http.h"
#include "common/kube/object_client.h"

namespace holdfast::kube {

/// How the API server is reached: as the kubeconfig says, else as a pod; nullopt where there is neither.
/// Errors: those of load_config.
Result<std::optional<Config>> find_cluster(Files& files, const std::filesystem::path& kubeconfig,
                                           const Flags::Lookup& environment);

/// Two ways to an API server, because a write could take the connection by which a watch confirms its list:
/// one for watches, one for all else.
class ClusterLink {
 public:
  /// `program` is its User-Agent, and whose the fields are that it applies. Errors: those of
  /// CurlHttp::create. All outlive it.
  static Result<std::unique_ptr<ClusterLink>> connect(EventLoop& loop, Files& files, Metrics& metrics,
                                                      const Config& config, const std::string& program);
  ClusterLink(EventLoop& loop, std::unique_ptr<Http> watches, std::unique_ptr<Http> writes,
              const std::string& program);
  ClusterLink(const ClusterLink&) = delete;
  ClusterLink& operator=(const ClusterLink&) = delete;
  ~ClusterLink() = default;

  [[nodiscard]] Http& watches() { return *watches_; }
  [[nodiscard]] ObjectClient& client() { return client_; }
  /// Of no other process; for those who want several, a hundred from it on.
  [[nodiscard]] std::uint64_t seed() const { return seed_; }

 private:
  std::uint64_t seed_;
  std::unique_ptr<Http> watches_;
  std::unique_ptr<Http> writes_;
  ObjectClient client_;
};

}  // namespace holdfast::kube

#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/result.h"
#include "common/kube/config.h"
#include "common/kube/object_client.h"

/// Which cluster a program serves: the uid of its namespace kube-system, which lives as long as the cluster.
/// What is made for volumes bears it, so that two clusters that share disks or an account leave each other's
/// alone.
namespace holdfast::kube {

/// Asks until there is an answer. Errors, of `done`: kDataLoss for a namespace without a uid; those of
/// ObjectClient.
[[nodiscard]] ObjectClient::CallPtr read_cluster_uid(ObjectClient& client,
                                                     std::function<void(Result<std::string>)> done);

/// The uid that was kept in `file` (as write_state() writes it), for a start without an API server; empty
/// when none was. A file that cannot be used is told in the log. Errors: errno of a read that failed.
Result<std::string> kept_cluster_uid(Files& files, const std::filesystem::path& file, Logger& log);
/// Errors: errno of a write that failed.
Status keep_cluster_uid(Files& files, const std::filesystem::path& file, const std::string& uid);

/// What learn_cluster_uid() stands on. All outlive the call.
struct ClusterQuestion {
  Clock& clock;
  Files& files;
  Metrics& metrics;
  Logger& log;
  std::string program = {};         ///< the User-Agent
  std::filesystem::path file = {};  ///< where the uid is kept
  /// How long the API server is asked: with a uid that was kept, and without.
  std::chrono::milliseconds patience_with_kept = std::chrono::seconds(5);
  std::chrono::milliseconds patience_without = std::chrono::seconds(60);
};

/// Asks the API server, and waits; keeps its answer. When it does not answer, what was kept counts. Errors:
/// kUnavailable when nothing was: without its cluster the program must not begin; those of
/// ClusterLink::connect().
Result<std::string> learn_cluster_uid(const Config& config, const ClusterQuestion& question);

}  // namespace holdfast::kube

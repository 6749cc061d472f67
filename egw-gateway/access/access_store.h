#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/base/result.h"
#include "egw-gateway/model/edge_gateway.h"

namespace holdfast::gateway {

/// Keeps the pools' EdgeGateways, as they were last told, at <state_dir>/access.json, mode 0600, in the
/// envelope of state_file.h:
///
///     {"accessPoint":..,"pools":[EdgeGateway],"served":[NAME]}
///
/// `served` are those of the pools that had what they asked for: of two that ask for one thing it says whose
/// it is. A file of an earlier version has none.
///
/// One program writes it. Not thread-safe.
class AccessStore {
 public:
  using Pools = std::map<std::string, EdgeGateway>;
  struct Loaded {
    Pools pools{};
    std::set<std::string> served{};
    std::vector<std::string> notes{};  ///< damage, foreign state
    bool whole = false;                ///< there was a file, and all that it holds is here
  };

  /// `files` outlives the store.
  AccessStore(Files& files, const std::filesystem::path& state_dir, std::string access_point)
      : files_(files), path_(state_dir / "access.json"), access_point_(std::move(access_point)) {}

  /// A damaged file is moved aside and told in the notes, and so is an entry that cannot be used. Errors:
  /// errno of a read that failed, which says nothing about the content.
  Result<Loaded> load();
  /// Durable on return; the old state stays when it fails. Errors: errno; kResourceExhausted for what load()
  /// would not take.
  Status save(const Pools& pools, const std::set<std::string>& served);

 private:
  Files& files_;
  std::filesystem::path path_;
  std::string access_point_;
};

}  // namespace holdfast::gateway

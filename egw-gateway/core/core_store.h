#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/base/result.h"
#include "egw-gateway/model/edge_gateway.h"

namespace holdfast::gateway {

/// Keeps the pool's EdgeGateway, as a gateway was last told it, at <state_dir>/core.json, mode 0600, in the
/// envelope of state_file.h:
///
///     {"pool":..,"gateway":NAME,"object": EdgeGateway}
///
/// It holds no key: those are the Secrets'. Another pool's or gateway's is not used: the folder is the
/// node's, and another gateway may have run there. One program writes it. Not thread-safe.
class CoreStore {
 public:
  struct Loaded {
    std::optional<EdgeGateway> object{};  ///< unset: none, or none that is ours
    std::vector<std::string> notes{};     ///< damage, foreign state
  };

  /// `files` outlives the store.
  CoreStore(Files& files, const std::filesystem::path& state_dir, std::string pool, std::string gateway)
      : files_(files), path_(state_dir / "core.json"), pool_(std::move(pool)), gateway_(std::move(gateway)) {}

  /// A damaged file is moved aside and told in the notes. Errors: errno of a read that failed.
  Result<Loaded> load();
  /// Durable on return; the old state stays when it fails. Errors: errno.
  Status save(const EdgeGateway& object);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  Files& files_;
  std::filesystem::path path_;
  std::string pool_;
  std::string gateway_;
};

}  // namespace holdfast::gateway

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/base/result.h"
#include "egw-gateway/model/edge_gateway.h"

namespace holdfast::gateway {

/// Whose state it is. Another node name or machine-id means a cloned disk, another pool that the node was
/// moved: the state is discarded.
struct StateOwner {
  std::string pool;  ///< empty in one that looks for state: any
  std::string node;  ///< the same
  std::string machine_id;

  bool operator==(const StateOwner&) const = default;
};

/// What a node needs to know before anybody answers.
struct HelperState {
  EdgeGateway gateway;
  std::vector<IpAddress> servers{};  ///< the API server's addresses, or its proxy's
  std::vector<Cidr> networks{};      ///< of its own links that lie in ranges: before links have addresses

  bool operator==(const HelperState&) const = default;
};

/// Keeps the pool's EdgeGateway, as it was last told, at <state_dir>/helper.json, mode 0600, in the envelope
/// of state_file.h:
///
///     {"pool":..,"node":..,"machineID":..,"gateway": EdgeGateway,"servers":[ADDRESS],
///      "networks":[CIDR]}
///
/// and beside it, for the time when that file cannot be read or understood, <state_dir>/closed-ranges: the
/// ranges alone, less what is exempt, a CIDR a line. No version of this program writes or reads it otherwise.
///
/// One program writes it. Not thread-safe.
class HelperStore {
 public:
  struct Loaded {
    std::optional<HelperState> state{};  ///< unset: none, or none that is ours
    std::optional<HelperState>
        foreign{};                     ///< of another owner: good for closing ranges, and for nothing else
    std::vector<Cidr> ranges{};        ///< by closed-ranges, where there is neither
    std::vector<std::string> notes{};  ///< damage, foreign state
  };

  /// `files` outlives the store.
  HelperStore(Files& files, const std::filesystem::path& state_dir, StateOwner owner);

  /// A damaged file is moved aside and told in the notes. Errors: errno of a read that failed, which says
  /// nothing about the content.
  Result<Loaded> load();
  /// Durable on return; the old state stays when it fails. Errors: errno.
  Status save(const HelperState& state);
  /// The pool is not enhanced any more. Durable on return. Errors: errno.
  Status forget();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  Result<Loaded> load_state();

  Files& files_;
  std::filesystem::path path_;
  std::filesystem::path ranges_path_;
  StateOwner owner_;
};

}  // namespace holdfast::gateway

#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/folder_watch.h"
#include "common/base/result.h"
#include "csi-lvm/nrm/topology.h"

namespace holdfast::nrm {

inline constexpr const char* kHostnameLabel = "kubernetes.io/hostname";

/// What a node is told.
struct NodeConfig {
  ConfigData data;
  NodeLabels labels;
  bool operator==(const NodeConfig&) const = default;
};

/// Tells a node's configuration, again when it changes. Calls come from the event loop.
class ConfigSource {
 public:
  struct Callbacks {
    std::function<void(NodeConfig)> told{};
    std::function<void(const std::string&)> trouble{};  ///< why nothing new can be told; empty: none any more
  };

  ConfigSource() = default;
  ConfigSource(const ConfigSource&) = delete;
  ConfigSource& operator=(const ConfigSource&) = delete;
  virtual ~ConfigSource() = default;

  /// Errors: what no waiting cures.
  virtual Status start(Callbacks callbacks) = 0;
};

/// From a file (parse_config_file()), or a folder with a file for each key, as a mounted ConfigMap is. Read
/// again when something in its folder changes; a file that cannot be read or parsed leaves what was told.
class FileConfig final : public ConfigSource {
 public:
  struct Place {
    std::filesystem::path config;
    std::filesystem::path labels;  ///< a file for parse_labels(); empty: none
    NodeLabels fixed_labels;       ///< count before those of the file
  };
  /// `loop` and `files` outlive it.
  FileConfig(EventLoop& loop, Files& files, Place place)
      : loop_(loop), files_(files), place_(std::move(place)) {}

  Status start(Callbacks callbacks) override;

 private:
  /// One folder that is watched.
  struct Watched {
    FolderWatch folder;
    EventLoop::Watch ready;
  };

  Status watch(const std::filesystem::path& folder);
  void read();
  [[nodiscard]] Result<NodeConfig> read_all() const;
  [[nodiscard]] Result<ConfigData> read_folder() const;

  EventLoop& loop_;
  Files& files_;
  Place place_;
  Callbacks callbacks_;
  std::vector<std::unique_ptr<Watched>> watched_;
  EventLoop::Timer settled_;
  std::optional<NodeConfig> last_;
};

/// The last configuration that a cluster told, for a node that starts without its cluster: in
/// <state_dir>/config. Errors: errno; nullopt when there is none that can be trusted.
Result<std::optional<NodeConfig>> load_config(Files& files, const std::filesystem::path& state_dir);
Status save_config(Files& files, const std::filesystem::path& state_dir, const NodeConfig& config);

}  // namespace holdfast::nrm

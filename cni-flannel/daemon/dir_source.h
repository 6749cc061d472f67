#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cni-flannel/daemon/known_peers.h"
#include "cni-flannel/daemon/node_network_object.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// What a folder of NodeNetworkConfigurations holds.
struct FolderContent {
  std::vector<NodeNetworkObject> changed;  ///< nodes of the files that are new or changed since the last read
  NodeNames names;                         ///< all nodes that the folder names
  /// Every file could be read and every object in it used: what is not there is not there.
  bool whole = true;
  std::vector<std::string> notes;  ///< what could not be used, by file
};

/// Reads the files *.yaml, *.yml and *.json of a folder, each as decode_node_network_documents() does; names
/// that begin with a dot (what an editor or a copy is writing) are skipped. A node whose document tells no
/// VTEP MAC has the one derived from its name: so a file needs a pod CIDR and a public address only. Of a
/// node that stands in two files the file that is last in the order of names counts.
///
/// A file is read again when its inode, size or times have changed.
///
/// A symbolic link is not followed, with one exception: a ConfigMap as kubelet mounts it, where a.yaml is a
/// link to ..data/a.yaml, and ..data one to the folder beside it that holds the files. Nothing outside the
/// folder is read.
class NodeFolder {
 public:
  /// `files` outlives it.
  NodeFolder(Files& files, std::filesystem::path folder) : files_(files), folder_(std::move(folder)) {}

  /// Whether something that has happened to this entry of the folder is of interest.
  [[nodiscard]] static bool concerned_by(const std::string& name);

  /// Looks at every file. Errors: kNotFound for a folder that is not there, errno.
  Result<FolderContent> read();
  /// Looks only at these, which something has happened to since the last read.
  Result<FolderContent> read(const std::set<std::string>& names);

  [[nodiscard]] const std::filesystem::path& path() const { return folder_; }

 private:
  /// What tells one state of a file from another.
  struct Stamp {
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified = 0;  // nanoseconds since 1970
    std::int64_t changed = 0;
    bool operator==(const Stamp&) const = default;
  };
  struct File {
    Stamp stamp;
    std::vector<std::string> names;
    std::vector<std::string> notes;
  };
  static std::optional<Stamp> stamp_of(const std::filesystem::path& path);
  [[nodiscard]] std::filesystem::path path_of(const std::string& name) const;
  void read_file(const std::filesystem::path& path, File& file, std::vector<NodeNetworkObject>& out);
  void look_at(const std::string& name, FolderContent& out);
  void look_at_all(const std::vector<std::string>& names, FolderContent& out);
  bool sum_up(FolderContent& out) const;

  Files& files_;
  std::filesystem::path folder_;
  std::map<std::string, File> known_;  // by file name
  bool had_rivals_ = false;            // at the last read a node stood in two files
};

}  // namespace holdfast::flannel

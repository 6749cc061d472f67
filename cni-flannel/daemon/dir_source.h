#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cni-flannel/daemon/known_peers.h"
#include "cni-flannel/daemon/node_network_object.h"
#include "common/base/fd.h"
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
class NodeFolder {
 public:
  /// `files` outlives it.
  NodeFolder(Files& files, std::filesystem::path folder) : files_(files), folder_(std::move(folder)) {}

  /// Errors: kNotFound for a folder that is not there, errno.
  Result<FolderContent> read();

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
  void read_file(const std::filesystem::path& path, File& file, std::vector<NodeNetworkObject>& out);
  void read_changed(const std::vector<std::string>& names, FolderContent& out);
  bool sum_up(FolderContent& out) const;

  Files& files_;
  std::filesystem::path folder_;
  std::map<std::string, File> known_;  // by file name
  bool had_rivals_ = false;            // at the last read a node stood in two files
};

/// Tells when something in a folder has changed, also when the folder comes later: watches the nearest
/// parent that is there, then.
class FolderWatch {
 public:
  /// Errors: errno of inotify(7).
  static Result<FolderWatch> open(const std::filesystem::path& folder);

  /// Becomes readable when something has changed.
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Takes what has come in, and follows the folder if it was made or replaced meanwhile. Never blocks.
  Status drain();

 private:
  FolderWatch(Fd fd, std::filesystem::path folder) : fd_(std::move(fd)), folder_(std::move(folder)) {}
  Status watch_nearest();

  Fd fd_;
  std::filesystem::path folder_;
};

}  // namespace holdfast::flannel

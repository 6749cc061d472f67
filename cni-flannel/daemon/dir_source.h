#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cni-flannel/daemon/node_network_object.h"
#include "common/base/fd.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// What a folder of NodeNetworkConfigurations held.
struct DirListing {
  std::vector<NodeNetworkObject> nodes;  ///< in the order of the files' names; of one name the last counts
  /// Every file could be read and every object in it used: what is not there is not there.
  bool whole = true;
  std::vector<std::string> notes;  ///< what could not be used, by file
};

/// Reads the files *.yaml, *.yml and *.json of `folder`, each as decode_node_network_documents() does; names
/// that begin with a dot (what an editor or a copy is writing) are skipped. A node whose document tells no
/// VTEP MAC has the one derived from its name: so a file needs a pod CIDR and a public address only. Errors:
/// kNotFound for a folder that is not there, errno.
Result<DirListing> read_node_networks(Files& files, const std::filesystem::path& folder);

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

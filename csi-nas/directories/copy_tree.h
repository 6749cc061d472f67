#pragma once

#include <string>

#include "csi-nas/directories/progress.h"
#include "csi-nas/directories/share_root.h"

namespace holdfast::nas {

/// A folder and where its copy goes. All are open folders of one share.
struct TreeCopy {
  int source = -1;  ///< to read
  int target = -1;  ///< nobody but us reaches it; what an earlier, killed copy left in it is used again
  int links = -1;   ///< an empty folder of ours, the same at each call: keeps files that have several names
};

/// Makes `target` hold what `source` holds: content (ContentCopier), holes, owners, modes, times, extended
/// attributes of files and folders, symbolic links as they stand, devices and pipes, and hard links within
/// the tree. In memory it keeps two descriptors and 8 KiB of names a level.
///
/// Killed anywhere, the next call goes on: files that are whole (is_whole_copy) are not copied again. Each
/// file is durable before its time is set, so before this returns. What is changed in the source meanwhile
/// is copied as it was met, or not at all; nothing is promised about one moment. Where the root of another
/// share with volumes is met (nested_shares.h), what lies there is copied without what claims it: the copies
/// are nobody's volumes.
/// Errors: the entry with its errno; kFailedPrecondition for a folder on which something is mounted;
/// kResourceExhausted for a tree deeper than descriptors suffice for.
Status copy_tree(const EntryOpener& opener, const TreeCopy& trees, Progress& progress,
                 const ProgressSink& sink);

}  // namespace holdfast::nas

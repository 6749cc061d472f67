#pragma once

#include <string>

#include "csi-nas/directories/progress.h"
#include "csi-nas/directories/share_root.h"

namespace holdfast::nas {

/// Removes `name` of the folder `parent` with all that is in it; what is not there is removed. A link is
/// removed and never followed, whoever puts one where a folder was; other mounts are not entered.
///
/// Folders that are not empty are moved up to `name` itself before they are emptied, so that however deep the
/// tree is, three folders are open and no path is longer than two names. Killed anywhere, the next call goes
/// on. Goes on after an entry that cannot be removed. Errors: the first such entry with its errno (EBUSY: it
/// is mounted on, or open over NFS).
Status remove_tree(const EntryOpener& opener, int parent, const std::string& name, Progress& progress,
                   const ProgressSink& sink);

}  // namespace holdfast::nas

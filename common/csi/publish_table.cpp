#include "common/csi/publish_table.h"

#include <algorithm>

namespace holdfast::csi {

bool many_on_one_node(AccessMode mode) {
  switch (mode) {
    case AccessMode::kMultiNodeReaderOnly:
    case AccessMode::kMultiNodeSingleWriter:
    case AccessMode::kMultiNodeMultiWriter:
    case AccessMode::kSingleNodeMultiWriter:
      return true;
    case AccessMode::kUnknown:
    case AccessMode::kSingleNodeWriter:
    case AccessMode::kSingleNodeReaderOnly:
    case AccessMode::kSingleNodeSingleWriter:
      return false;
  }
  return false;
}

Result<PublishAnswer> second_publish(AccessMode mode, const Publication& wanted,
                                     std::span<const Publication> present) {
  const auto there = std::ranges::find(present, wanted.target_path, &Publication::target_path);
  if (there != present.end()) {
    if (there->arguments == wanted.arguments) return PublishAnswer::kPublished;
    return fail(Code::kAlreadyExists,
                wanted.target_path +
                    " has this volume with other arguments; unpublish it there before it is changed");
  }
  if (present.empty() || many_on_one_node(mode)) return PublishAnswer::kPublish;
  return fail(Code::kFailedPrecondition, "the access mode allows one place on a node, and " +
                                             present.front().target_path + " has the volume");
}

}  // namespace holdfast::csi

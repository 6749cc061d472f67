#include "cni-flannel/daemon/followed_folder.h"

#include <utility>

namespace holdfast::flannel {

Result<std::unique_ptr<FollowedFolder>> FollowedFolder::start(EventLoop& loop,
                                                              const std::filesystem::path& folder,
                                                              Told told) {
  HOLDFAST_TRY(FolderWatch watch, FolderWatch::open(folder));
  std::unique_ptr<FollowedFolder> out(new FollowedFolder(std::move(watch), std::move(told)));
  HOLDFAST_TRY(out->events_,
               loop.watch(out->watch_.fd(), {.readable = true}, [folder = out.get()](Readiness) {
                 folder->told_(folder->watch_.drain().value_or(FolderNews{.all = true, .names = {}}));
               }));
  return out;
}

}  // namespace holdfast::flannel

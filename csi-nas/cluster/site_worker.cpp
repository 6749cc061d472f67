#include "csi-nas/cluster/site_worker.h"

#include <utility>

namespace holdfast::nas {
namespace {

constexpr std::chrono::milliseconds kMountPatience{2'000};
constexpr std::chrono::milliseconds kWorkPatience{200};  // others wait for this thread

}  // namespace

Result<std::string> look_at_work(const SiteWorkTools& tools, const SiteOrder& spec, const std::string& place,
                                 const TaskLease& lease) {
  HOLDFAST_TRY(NasSource source, parse_source(spec.attributes, spec.mount_options, ""));
  source.must_exist = spec.order.holds_volumes;
  const NasShare& share = source.shares.front();
  Result<std::string> mounted = tools.shares.mounted_at(source, kMountPatience);
  if (!mounted) {
    // No last word: another node may be let in, and what was begun before lies there all the same.
    Error error = std::move(mounted).error().within("mount " + share.source());
    error.code = Code::kUnavailable;
    return tl::unexpected(std::move(error));
  }
  if (lease.is_over(tools.clock.since_boot())) return fail(Code::kAborted, "it is held no more");
  DirectoryOrder order = spec.order;
  order.mounted_at = *std::move(mounted);
  Result<std::string> done = tools.work.run(place, share.host, std::move(order), kWorkPatience);
  if (lease.is_over(tools.clock.since_boot())) tools.work.give_up(place);
  return done;
}

}  // namespace holdfast::nas

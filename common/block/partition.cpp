#include "common/block/partition.h"

#include <cstdint>
#include <utility>

namespace holdfast::block {
namespace {

// What partition tables and alignment leave free: a MiB before the first partition, GPT's copy behind the
// last.
constexpr std::uint64_t kSlackBytes = std::uint64_t{3} << 20;

Status run_sfdisk(Executor& executor, const std::string& device, std::chrono::milliseconds deadline) {
  const std::string program = find_system_program("sfdisk");
  if (program.empty()) {
    return fail(Code::kNotFound, "sfdisk is not installed, so that the partition of " + device +
                                     " does not grow: install the package fdisk");
  }
  // Its number is 1 unless somebody made it otherwise; then sfdisk says so.
  HOLDFAST_TRY(const CommandResult result,
               executor.run({.argv = {program, "--quiet", "--no-reread", "-N", "1", device},
                             .environment = {"LC_ALL=C"},
                             .input = ", +\n",
                             .deadline = deadline}));
  if (result.succeeded()) return {};
  return fail(Code::kInternal, "sfdisk cannot grow the partition of " + device + ": " + result.errors);
}

}  // namespace

Status grow_only_partition(Executor& executor, const DeviceDirectory& directory, const std::string& disk,
                           std::chrono::milliseconds deadline, const std::string& dev) {
  HOLDFAST_TRY(const DeviceIdentity whole, directory.identify_name(disk));
  if (whole.partitions.empty()) return {};
  if (whole.partitions.size() > 1) {
    return fail(Code::kFailedPrecondition,
                "the disk " + disk + " has several partitions: none of them is grown");
  }
  HOLDFAST_TRY(const DeviceIdentity before, directory.identify_name(whole.partitions.front()));
  if (before.size_bytes + kSlackBytes >= whole.size_bytes) return {};
  HOLDFAST_CHECK(run_sfdisk(executor, dev + "/" + disk, deadline));
  HOLDFAST_TRY(const DeviceIdentity after, directory.identify_name(whole.partitions.front()));
  if (after.size_bytes > before.size_bytes) return {};
  return fail(Code::kUnavailable, "the partition " + after.kernel_name +
                                      " is larger in the table of its disk, and the kernel does not see it");
}

}  // namespace holdfast::block

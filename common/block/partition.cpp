#include "common/block/partition.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace holdfast::block {
namespace {

// What partition tables and alignment leave free: a MiB before the first partition, GPT's copy behind the
// last.
constexpr std::uint64_t kSlackBytes = std::uint64_t{3} << 20;

Status run(Executor& executor, const std::string& name, std::vector<std::string> words, std::string input,
           std::chrono::milliseconds deadline) {
  const std::string program = find_system_program(name);
  const std::string& device = words.back();
  if (program.empty()) {
    return fail(Code::kNotFound, name + " is not installed, so that the partition of " + device +
                                     " does not grow: install the packages fdisk and util-linux");
  }
  words.insert(words.begin(), program);
  HOLDFAST_TRY(
      const CommandResult result,
      executor.run(
          {.argv = words, .environment = {"LC_ALL=C"}, .input = std::move(input), .deadline = deadline}));
  if (result.succeeded()) return {};
  return fail(Code::kInternal, name + " cannot grow the partition of " + words.back() + ": " + result.errors);
}

// Its number is 1 unless somebody made it otherwise; then sfdisk says so. The kernel is told by partx, as it
// does not read the whole table anew while a partition is in use.
Status rewrite_table(Executor& executor, const std::string& device, std::chrono::milliseconds deadline) {
  HOLDFAST_CHECK(run(executor, "sfdisk", {"--quiet", "--no-reread", "--no-tell-kernel", "-N", "1", device},
                     ", +\n", deadline));
  return run(executor, "partx", {"--update", device}, "", deadline);
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
  HOLDFAST_CHECK(rewrite_table(executor, dev + "/" + disk, deadline));
  HOLDFAST_TRY(const DeviceIdentity after, directory.identify_name(whole.partitions.front()));
  if (after.size_bytes > before.size_bytes) return {};
  return fail(Code::kUnavailable, "the partition " + after.kernel_name +
                                      " is larger in the table of its disk, and the kernel does not see it");
}

}  // namespace holdfast::block

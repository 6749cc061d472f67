#include <nlohmann/json.hpp>

#include "common/base/json.h"
#include "csi-disk/backend/alibaba_answers.h"
#include "csi-disk/backend/tencent_answers.h"
#include "test/fuzz/fuzz_text.h"

using holdfast::cloud::Answer;
using holdfast::cloud::CallEnd;
using holdfast::fuzz::require;

namespace {

namespace disk = holdfast::disk;

// What is read is whole, or nobody can say what the cloud did.
template <class T>
void check_end(const Answer<T>& answer) {
  require(answer || (answer.error().end == CallEnd::kUnknownOutcome && !answer.error().message.empty()));
}

void check_ecs(const nlohmann::json& answer) {
  check_end(disk::read_ecs_disks(answer));
  check_end(disk::read_ecs_snapshots(answer));
  check_end(disk::read_ecs_instances(answer));
  check_end(disk::read_ecs_disk_quantity(answer));
  check_end(disk::read_ecs_stock(answer));
  const auto id = disk::read_ecs_id(answer, "DiskId");
  check_end(id);
  require(!id || !id->empty());
}

void check_cbs(const nlohmann::json& answer) {
  constexpr std::uint64_t kOffset = 7;
  const auto page = disk::read_cbs_disks(answer, kOffset);
  check_end(page);
  require(!page || page->next.empty() || !page->items.empty());  // else a list would never end
  check_end(disk::read_cbs_snapshots(answer, kOffset));
  check_end(disk::read_cvm_zone(answer));
  check_end(disk::read_cbs_attach_limit(answer));
  check_end(disk::read_cbs_stock(answer));
  const auto id = disk::read_cbs_disk_id(answer);
  check_end(id);
  require(!id || !id->empty());
  check_end(disk::read_cbs_snapshot_id(answer));
}

}  // namespace

// An object that a cloud answers with.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto answer = holdfast::parse_json(holdfast::fuzz::text_of(data, size));
  if (!answer || !answer->is_object()) return 0;
  check_ecs(*answer);
  check_cbs(*answer);
  return 0;
}

#include "cni-flannel/ipam/results_cache.h"
#include "test/fuzz/fuzz_text.h"

// What is accepted names an attachment, and a pod by both its names.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using holdfast::fuzz::require;
  const auto cached = holdfast::flannel::parse_cached_attachment(holdfast::fuzz::text_of(data, size));
  if (cached) {
    require(!cached->attachment.network.empty() && !cached->attachment.container_id.empty());
    require(!cached->pod || (!cached->pod->name_space.empty() && !cached->pod->name.empty()));
  }
  return 0;
}

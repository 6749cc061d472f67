#include "cni-flannel/plugin/cni_result.h"
#include "test/fuzz/fuzz_text.h"

// A result that is read can be written in every version, and what the newest writes is read as the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using holdfast::fuzz::require;
  namespace cni = holdfast::cni;
  const auto result = cni::parse_result(holdfast::fuzz::text_of(data, size), "result");
  if (!result) {
    require(!result.error().msg.empty());
    return 0;
  }
  for (const cni::SpecVersion version : cni::kSupportedVersions) {
    const auto again = cni::parse_result(cni::to_json(*result, version), "result");
    require(again.has_value());
    require(version != cni::kNewestVersion || *again == *result);
  }
  return 0;
}

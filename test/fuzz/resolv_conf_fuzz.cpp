#include "cni-flannel/plugin/bridge_conf.h"
#include "test/fuzz/fuzz_text.h"

// Whatever the file holds, the result that carries it can be written and read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using holdfast::fuzz::require;
  namespace cni = holdfast::cni;
  cni::AddResult result;
  result.dns = holdfast::flannel::parse_resolv_conf(holdfast::fuzz::text_of(data, size));
  for (const cni::SpecVersion version : cni::kSupportedVersions) {
    require(cni::parse_result(cni::to_json(result, version), "result").has_value());
  }
  return 0;
}

#include "cni-flannel/plugin/cni_error.h"
#include "test/fuzz/fuzz_text.h"

// An error that a delegate printed is passed on as it was.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using holdfast::fuzz::require;
  namespace cni = holdfast::cni;
  const auto error = cni::parse_error(holdfast::fuzz::text_of(data, size));
  if (!error) return 0;
  const auto passed_on = cni::parse_error(cni::to_json(*error, "1.0.0"));
  require(passed_on && passed_on->code == error->code && passed_on->msg == error->msg);
  require(passed_on->details == error->details);
  return 0;
}

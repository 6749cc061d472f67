#include "cni-flannel/plugin/subnet_env.h"
#include "test/fuzz/fuzz_text.h"

// What is accepted can be used as it is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using holdfast::fuzz::require;
  const auto env = holdfast::flannel::parse_subnet_env(holdfast::fuzz::text_of(data, size));
  if (!env) {
    require(!env.error().message.empty());
    return 0;
  }
  require(!env->networks.empty() && (env->subnet || env->subnet6) && env->mtu >= 68);
  for (const holdfast::Cidr& network : env->networks) require(network == network.network());
  require(!env->subnet || env->subnet->is_v4());
  require(!env->subnet6 || !env->subnet6->is_v4());
  return 0;
}

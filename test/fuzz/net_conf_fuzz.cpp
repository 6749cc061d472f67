#include "cni-flannel/plugin/bridge_conf.h"
#include "cni-flannel/plugin/delegate.h"
#include "cni-flannel/plugin/flannel_conf.h"
#include "cni-flannel/plugin/net_conf.h"
#include "test/fuzz/fuzz_text.h"

namespace {

namespace cni = holdfast::cni;
namespace flannel = holdfast::flannel;
using holdfast::fuzz::require;

flannel::SubnetEnv lease() {
  return flannel::parse_subnet_env(
             "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/"
             "24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n")
      .value();
}

void use_delegate(const cni::JsonPart& delegate, const flannel::OwnConf& own) {
  const auto kind = flannel::kind_of(delegate);
  if (!kind) return;
  if (const auto bridge = flannel::parse_bridge_conf(delegate, {})) {
    require(!bridge->bridge.empty() && bridge->bridge.size() <= 15);
    require(!(bridge->hairpin_mode && bridge->promisc_mode));
  }
  if (const auto ipam = flannel::parse_host_local_conf(delegate, {}, own)) {
    for (const auto& set : ipam->ipam.range_sets) {
      require(!set.empty());
      for (const auto& range : set) {
        require(range.first <= range.last && range.subnet.contains(range.first));
        require(range.subnet.contains(range.last) && range.subnet.family() == set.front().subnet.family());
      }
    }
  }
}

}  // namespace

// The whole way from the bytes on stdin to what the verbs are given; the configuration is tried as flannel's
// and as a delegate's own, which may have any ranges.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto conf = cni::parse_net_conf(holdfast::fuzz::text_of(data, size));
  if (!conf) {
    require(!conf.error().msg.empty());
    return 0;
  }
  static_cast<void>(cni::decode_prev_result(*conf));
  use_delegate(conf->document, {});
  const auto flannel_conf = flannel::parse_flannel_conf(*conf);
  if (!flannel_conf) return 0;
  const auto delegate = flannel::render_delegate(*conf, *flannel_conf, lease());
  if (!delegate) return 0;
  use_delegate(*delegate, flannel_conf->own);
  // What is saved at ADD must be readable at DEL.
  require(cni::parse_document(cni::to_text(*delegate), "saved").has_value());
  return 0;
}

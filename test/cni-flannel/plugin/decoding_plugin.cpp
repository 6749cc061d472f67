#include "test/cni-flannel/plugin/decoding_plugin.h"

#include "cni-flannel/plugin/bridge_conf.h"
#include "cni-flannel/plugin/delegate.h"
#include "cni-flannel/plugin/flannel_conf.h"

namespace holdfast::test {

using cni::CniResult;
using cni::CniStatus;
using cni::Request;

CniResult<cni::AddResult> DecodingPlugin::add(const Request& request) {
  HOLDFAST_CHECK(decode(request));
  const auto previous = cni::decode_prev_result(request.conf);
  return previous && *previous ? **previous : cni::AddResult{};
}

CniStatus DecodingPlugin::check(const Request& request) {
  HOLDFAST_CHECK(cni::decode_prev_result(request.conf));
  return decode(request);
}

CniStatus DecodingPlugin::decode(const Request& request) const {
  HOLDFAST_TRY(const flannel::FlannelConf conf, flannel::parse_flannel_conf(request.conf));
  HOLDFAST_TRY(const cni::JsonPart delegate, flannel::render_delegate(request.conf, conf, lease_));
  HOLDFAST_TRY(const flannel::DelegateKind kind, flannel::kind_of(delegate));
  if (kind.is_bridge()) HOLDFAST_CHECK(flannel::parse_bridge_conf(delegate, request.args));
  if (kind.is_host_local()) {
    HOLDFAST_CHECK(flannel::parse_host_local_conf(delegate, request.args, conf.own));
  }
  return {};
}

}  // namespace holdfast::test

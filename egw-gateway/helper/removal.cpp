#include "egw-gateway/helper/removal.h"

#include "common/base/first_error.h"
#include "common/netlink/socket.h"
#include "egw-gateway/helper/kernel_routes.h"
#include "egw-gateway/helper/no_masquerade_file.h"
#include "egw-gateway/helper/node_routes.h"
#include "egw-gateway/helper/node_rules.h"

namespace holdfast::gateway {
namespace {

Status remove_routes(const LinkNames& links) {
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
  HOLDFAST_TRY(const NodeFacts facts, read_facts(socket, links));
  return apply_routes(socket, plan_routes({}, facts));
}

}  // namespace

Status remove_all(const RemovalTools& tools, const HelperOptions& options) {
  FirstError first;
  first.add(remove_routes(options.links));
  first.add(tools.firewall.look({node_rule_set(IpFamily::kV4, {}), node_rule_set(IpFamily::kV6, {})}).done);
  const Result<bool> told = put_no_masquerade(tools.files, options.no_masq_dir, {});
  first.add(told ? Status{} : Status(tl::unexpected(told.error())));
  HOLDFAST_CHECK(first.result());
  return tools.store.forget();
}

}  // namespace holdfast::gateway

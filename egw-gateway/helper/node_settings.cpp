#include "egw-gateway/helper/node_settings.h"

#include <utility>

#include "common/base/first_error.h"
#include "common/netlink/sysctl.h"

namespace holdfast::gateway {
namespace {

/// What was changed; empty: nothing.
Result<std::string> put_setting(const NodeSetting& setting) {
  const Result<std::string> before = nl::get_sysctl(setting.key);
  if (!before && before.error().code == Code::kNotFound && setting.optional) return std::string();
  if (!before) return tl::unexpected(before.error());
  if (*before == setting.value) return std::string();
  Status done = nl::set_sysctl(setting.key, setting.value);
  if (!done) {
    done.error().message += " (it is " + *before + ", " + setting.value + " is needed)";
    return tl::unexpected(std::move(done).error());
  }
  return setting.key + ": was " + *before + ", is " + setting.value;
}

}  // namespace

std::vector<NodeSetting> node_settings(const std::string& bridge, const std::string& overlay,
                                       bool has_gateway) {
  const std::string conf = "net/ipv4/conf/";
  std::vector<NodeSetting> out{{"net/ipv4/ip_forward", "1"},
                               {conf + bridge + "/rp_filter", "2", true},
                               {conf + overlay + "/rp_filter", "2", true}};
  if (has_gateway) {
    out.push_back({conf + "all/send_redirects", "0"});
    out.push_back({conf + bridge + "/send_redirects", "0", true});
  }
  return out;
}

Result<std::vector<std::string>> put_settings(const std::vector<NodeSetting>& settings) {
  std::vector<std::string> changed;
  FirstError first;
  for (const NodeSetting& setting : settings) {
    Result<std::string> done = put_setting(setting);
    if (!done) {
      first.add(tl::unexpected(std::move(done).error()));
    } else if (!done->empty()) {
      changed.push_back(*std::move(done));
    }
  }
  HOLDFAST_CHECK(first.result());
  return changed;
}

}  // namespace holdfast::gateway

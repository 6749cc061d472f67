#include "cni-flannel/inspect/host_findings.h"

#include <algorithm>
#include <optional>
#include <string>

#include "common/netlink/link.h"
#include "common/netlink/sysctl.h"

namespace holdfast::flannel {
namespace {

constexpr const char* kBridge = "cni0";

Finding forwarding(const std::string& path, const std::string& name, bool had_pods) {
  const Result<std::string> value = nl::get_sysctl(path);
  if (!value) return {Verdict::kWrong, name, value.error().message};
  if (*value == "1") return {Verdict::kWell, name, "1"};
  if (!had_pods) {
    return {Verdict::kDoubtful, name,
            "is " + *value + ", which the first pod here sets to 1: none has been started"};
  }
  return {Verdict::kWrong, name,
          "is " + *value + ": nothing is forwarded; set it to 1 (sysctl -w " + name + "=1)"};
}

/// 0 none, 1 strict, 2 loose; the larger of an interface's and that of all counts.
/// Source: Linux, Documentation/networking/ip-sysctl.rst.
std::string rp_filter_of(const std::string& link) {
  const Result<std::string> value = nl::get_sysctl("net/ipv4/conf/" + link + "/rp_filter");
  return value ? *value : "0";
}

void look_at_filters(const HostScene& scene, std::vector<Finding>& out) {
  std::vector<std::string> links = {kBridge};
  links.insert(links.end(), scene.links.begin(), scene.links.end());
  const std::string of_all = rp_filter_of("all");
  std::string strict;
  for (const std::string& link : links) {
    if (std::max(of_all, rp_filter_of(link)) == "1") strict += (strict.empty() ? "" : ", ") + link;
  }
  if (strict.empty()) return out.push_back({Verdict::kWell, "rp_filter", "not strict"});
  out.push_back(
      {Verdict::kDoubtful, "rp_filter",
       "is 1 (strict) for " + strict +
           ": packets that come another way than answers go are dropped; 2 (loose) is enough (sysctl -w "
           "net.ipv4.conf.all.rp_filter=2)"});
}

Finding look_at(const nl::Link& bridge) {
  return {bridge.up ? Verdict::kWell : Verdict::kWrong, kBridge,
          bridge.up ? "up" : std::string("is down, so no pod is reached: ip link set ") + kBridge + " up"};
}

}  // namespace

HostScene host_scene(const OverlayReport& overlay) {
  HostScene out{.ipv4 = overlay.conf.ipv4.has_value(), .ipv6 = overlay.conf.ipv6.has_value()};
  for (const FamilyReport& family : overlay.families) {
    if (family.family != IpFamily::kV4) continue;
    out.links.push_back(family.device);
    if (!family.underlay.empty()) out.links.push_back(family.underlay);
  }
  return out;
}

std::vector<Finding> host_findings(nl::Socket& socket, const HostScene& scene) {
  const Result<std::optional<nl::Link>> found = nl::find_link(socket, kBridge);
  const std::optional<nl::Link> bridge = found.value_or(std::nullopt);  // it may be of another name
  std::vector<Finding> out;
  if (scene.ipv4) out.push_back(forwarding("net/ipv4/ip_forward", "net.ipv4.ip_forward", bridge.has_value()));
  if (scene.ipv6) {
    out.push_back(
        forwarding("net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding", bridge.has_value()));
  }
  look_at_filters(scene, out);
  if (bridge) out.push_back(look_at(*bridge));
  return out;
}

}  // namespace holdfast::flannel

#include "cni-flannel/inspect/host_findings.h"

#include <algorithm>
#include <optional>
#include <string>

#include "common/netlink/link.h"
#include "common/netlink/sysctl.h"

namespace holdfast::flannel {
namespace {

constexpr const char* kBridge = "cni0";

Finding forwarding(const std::string& path, const std::string& name) {
  const Result<std::string> value = nl::get_sysctl(path);
  if (!value) return {Verdict::kWrong, name, value.error().message};
  if (*value == "1") return {Verdict::kWell, name, "1"};
  return {Verdict::kWrong, name,
          "is " + *value + ": nothing is forwarded; set it to 1 (sysctl -w " + name + "=1)"};
}

/// 0 none, 1 strict, 2 loose; the larger of an interface's and that of all counts.
/// Source: Linux, Documentation/networking/ip-sysctl.rst.
std::string rp_filter_of(const std::string& link) {
  const Result<std::string> value = nl::get_sysctl("net/ipv4/conf/" + link + "/rp_filter");
  return value ? *value : "0";
}

void look_at_filters(const OverlayReport& overlay, std::vector<Finding>& out) {
  std::vector<std::string> links = {kBridge};
  for (const FamilyReport& family : overlay.families) {
    if (family.family != IpFamily::kV4) continue;
    links.push_back(family.device);
    if (!family.underlay.empty()) links.push_back(family.underlay);
  }
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

void look_at_bridge(nl::Socket& socket, std::vector<Finding>& out) {
  const Result<std::optional<nl::Link>> bridge = nl::find_link(socket, kBridge);
  if (!bridge || !*bridge) return;  // made with the first pod, or of another name
  const bool up = (*bridge)->up;
  out.push_back({up ? Verdict::kWell : Verdict::kWrong, kBridge,
                 up ? "up" : std::string("is down, so no pod is reached: ip link set ") + kBridge + " up"});
}

}  // namespace

std::vector<Finding> host_findings(nl::Socket& socket, const OverlayReport& overlay) {
  std::vector<Finding> out;
  if (overlay.conf.ipv4) out.push_back(forwarding("net/ipv4/ip_forward", "net.ipv4.ip_forward"));
  if (overlay.conf.ipv6) {
    out.push_back(forwarding("net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding"));
  }
  look_at_filters(overlay, out);
  look_at_bridge(socket, out);
  return out;
}

}  // namespace holdfast::flannel

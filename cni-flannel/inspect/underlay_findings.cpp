#include "cni-flannel/inspect/underlay_findings.h"

#include <string>

#include "cni-flannel/daemon/underlay.h"
#include "cni-flannel/daemon/vxlan_device.h"

namespace holdfast::flannel {
namespace {

constexpr const char* kWhat = "external interface";

Finding finding_of(const FamilyReport& family) {
  if (!family.underlay_trouble.empty()) return {Verdict::kWrong, kWhat, family.underlay_trouble};
  return {Verdict::kWell, kWhat, family.underlay + ", " + family.local.to_string()};
}

Finding choice_of(nl::Socket& socket, const OverlayReport& overlay, const std::optional<DaemonRun>& daemon) {
  const Result<UnderlayTables> tables = read_underlay_tables(socket);
  if (!tables) return {Verdict::kWrong, kWhat, tables.error().message};
  UnderlayChoice choice;
  if (daemon && daemon->options) choice = daemon->options->underlay;
  choice.ipv4 = overlay.conf.ipv4.has_value();
  choice.ipv6 = overlay.conf.ipv6.has_value();
  choice.own_links = overlay_links(overlay.conf.vxlan.vni);
  const Result<Underlay> chosen = choose_underlay(with_former(choice, overlay.former), *tables);
  if (!chosen) return {Verdict::kWrong, kWhat, chosen.error().message};
  if (!chosen->link.up) return {Verdict::kWrong, kWhat, chosen->link.name + " is down"};
  return {Verdict::kWell, kWhat, chosen->link.name + ", for the device that is to be made"};
}

}  // namespace

std::vector<Finding> underlay_findings(nl::Socket& socket, const OverlayReport& overlay,
                                       const std::optional<DaemonRun>& daemon) {
  std::vector<Finding> out;
  for (const FamilyReport& family : overlay.families) {
    if (!family.underlay.empty() || !family.underlay_trouble.empty()) out.push_back(finding_of(family));
  }
  if (out.empty()) out.push_back(choice_of(socket, overlay, daemon));
  return out;
}

}  // namespace holdfast::flannel

#include "cni-flannel/inspect/explain.h"

#include <algorithm>

namespace holdfast::flannel {
namespace {

bool is_about(const std::string& node, const PeerEnd& end, const std::string& subject) {
  const Result<IpAddress> address = IpAddress::parse(subject);
  return node == subject || (address && (end.subnet.contains(*address) || end.public_address == *address));
}

/// What keeps a family's packets from leaving, whoever they are for.
void add_troubles(const FamilyReport& family, Explanation& out) {
  if (!family.trouble.empty()) out.text += "  " + family.device + " " + family.trouble + "\n";
  if (!family.underlay_trouble.empty()) {
    out.text += "  the external interface: " + family.underlay_trouble + "\n";
  }
  out.well = out.well && family.trouble.empty() && family.underlay_trouble.empty();
}

void explain_peer(const FamilyReport& family, const PeerReport& peer, Explanation& out) {
  const PeerEnd& end = peer.peer.end;
  out.text += peer.peer.node + ": " + end.subnet.to_string() + " is reached by " +
              (peer.peer.direct_link == 0 ? family.device : "the LAN, without tunnel") + " at " +
              end.public_address.to_string() + ", VTEP MAC " + end.vtep_mac.to_string() + "\n";
  add_troubles(family, out);
  if (peer.lacks.empty()) {
    out.text += "  the kernel has all of it\n";
    return;
  }
  out.text += "  the kernel has it otherwise; flanneld would:\n";
  for (const std::string& change : peer.lacks) out.text += "    " + change + "\n";
  out.well = false;
}

void explain_ourselves(const OverlayReport& overlay, const FamilyReport& family, const std::string& subject,
                       Explanation& out) {
  const PeerEnd& end = family.own;
  if (!is_about(overlay.node, end, subject)) return;
  out.text += overlay.node + ": this node; its pods are in " + end.subnet.to_string() +
              ", its peers send to it at " + end.public_address.to_string() + " for " + family.device +
              ", VTEP MAC " + end.vtep_mac.to_string() + "\n";
  add_troubles(family, out);
  const bool of_pod = subject != overlay.node && subject != end.public_address.to_string();
  if (of_pod) out.text += no_pod_has(subject);
}

const char* describe(PodState state) {
  switch (state) {
    case PodState::kConnected:
      return "is there";
    case PodState::kNoLink:
      return "is NOT there: the node was restarted, or the sandbox is gone; the pod gets the same address "
             "when "
             "it starts again";
    case PodState::kNoBridge:
      return "is a port of NO bridge, so that nothing reaches the pod: restart it";
    case PodState::kOutside:
      return "is there; but its address is of an earlier pod CIDR, to which peers send nothing: restart the "
             "pod";
  }
  return "";
}

}  // namespace

std::string no_pod_has(const std::string& address) {
  return "  no pod of this node has " + address + "; holdfast status lists those that are here\n";
}

Explanation explain_node(const OverlayReport& overlay, const std::string& subject) {
  Explanation out;
  for (const FamilyReport& family : overlay.families) {
    explain_ourselves(overlay, family, subject, out);
    for (const PeerReport& peer : family.peers) {
      if (is_about(peer.peer.node, peer.peer.end, subject)) explain_peer(family, peer, out);
    }
    for (const RejectedPeer& peer : family.rejected) {
      if (peer.node != subject) continue;
      out.text += peer.node + ": is left out of " + family.device + ": " + peer.why + "\n";
      out.well = false;
    }
  }
  return out;
}

Explanation explain_pod(const PodReport& report, const std::string& subject) {
  Explanation out;
  for (const PodAddress& pod : report.in_use) {
    if (name_of(pod.use) != subject && pod.use.address.to_string() != subject) continue;
    out.text += name_of(pod.use) + ": has " + pod.use.address.to_string() + " of network " + pod.network +
                ", for " + pod.use.ifname + " of container " + pod.use.container_id + "\n";
    out.text += "  its link " + pod.link + " " + describe(pod.state) + "\n";
    out.well = out.well && pod.state == PodState::kConnected;
  }
  for (const RememberedPod& pod : report.remembered) {
    const Binding& binding = pod.binding;
    const auto has = [&](const IpAddress& address) { return address.to_string() == subject; };
    const std::string name = binding.key.name_space + "/" + binding.key.name;
    if (name != subject && std::ranges::none_of(binding.addresses, has)) continue;
    out.text += name + ": is not here; kept for it in network " + pod.network + ":";
    for (const IpAddress& address : binding.addresses) out.text += " " + address.to_string();
    out.text += "\n  given to others only when no other address is left\n";
  }
  return out;
}

}  // namespace holdfast::flannel

#include "cni-flannel/inspect/doctor.h"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "cni-flannel/daemon/conditions.h"
#include "cni-flannel/daemon/name_list.h"
#include "cni-flannel/daemon/net_conf.h"
#include "cni-flannel/daemon/own_lease.h"
#include "cni-flannel/inspect/conflict_findings.h"
#include "cni-flannel/inspect/daemon_report.h"
#include "cni-flannel/inspect/host_findings.h"
#include "cni-flannel/inspect/pod_findings.h"
#include "cni-flannel/inspect/pod_report.h"
#include "cni-flannel/inspect/reach_findings.h"
#include "cni-flannel/inspect/rules_findings.h"
#include "cni-flannel/inspect/state_findings.h"
#include "cni-flannel/inspect/underlay_findings.h"
#include "cni-flannel/plugin/subnet_env.h"
#include "common/netlink/link.h"

namespace holdfast::flannel {
namespace {

/// Looks at one node and gathers what it finds.
class Doctor {
 public:
  Doctor(Files& files, Clock& clock, nl::Socket& socket, const DoctorPlaces& places)
      : files_(files), clock_(clock), socket_(socket), places_(places) {}

  std::vector<Finding> examine() {
    look_at_daemon();
    look_at_lease();
    look_at_pods();
    look_at_overlay();
    return std::move(findings_);
  }

 private:
  void add(Verdict verdict, std::string what, std::string detail) {
    findings_.push_back({verdict, std::move(what), std::move(detail)});
  }
  void add(std::vector<Finding> findings) {
    for (Finding& finding : findings) findings_.push_back(std::move(finding));
  }
  void failed(std::string what, const Error& error) { add(Verdict::kWrong, std::move(what), error.message); }

  void look_at_daemon();
  void look_at_lease();
  void look_at_pods();
  void look_at_overlay();
  void look_without_overlay();
  void look_at_host();
  void look_at_own_address(const OverlayReport& report);
  void look_at_family(const FamilyReport& family);
  void look_at_peers(const FamilyReport& family);
  void look_at_mtu(const FamilyReport& family, const nl::Link& device);
  void look_at_rules(const OverlayReport& report);

  Files& files_;
  Clock& clock_;
  nl::Socket& socket_;
  const DoctorPlaces& places_;
  std::vector<Finding> findings_;
  DaemonReport daemon_;
  bool state_is_current_ = true;
  std::optional<SubnetEnv> lease_;
};

void Doctor::look_at_daemon() {
  daemon_ = inspect_daemon(clock_, places_.daemon);
  add(daemon_findings(daemon_));
}

void Doctor::look_at_lease() {
  const std::string what = places_.subnet_file.native();
  Result<std::optional<SubnetEnv>> lease = read_lease(files_, places_.subnet_file);
  if (!lease) return failed(what, lease.error());
  if (!*lease) {
    return add(Verdict::kWrong, what,
               "is not there, so no pod can start; flanneld writes it when it knows the node's pod CIDR");
  }
  lease_ = *std::move(lease);
  add(Verdict::kWell, what, "MTU " + std::to_string(lease_->mtu));
}

void Doctor::look_at_pods() {
  if (!lease_) return;  // no pod starts, and that is told
  const Result<PodReport> pods = inspect_pods(files_, clock_, socket_, places_.ipam, lease_);
  add(pod_findings(files_, pods, places_.ipam, *lease_));
}

void Doctor::look_at_overlay() {
  if (lease_ && is_of_another(files_, daemon_, places_.overlay.state_dir)) return look_without_overlay();
  const Result<OverlayReport> report = inspect_overlay(files_, socket_, places_.overlay);
  if (!report) {
    failed("overlay", report.error());
    return look_at_host();
  }
  for (const std::string& note : report->notes) add(Verdict::kDoubtful, "stored state", note);
  StateFindings state = state_findings(files_, clock_, places_.overlay.state_dir, *report, daemon_);
  add(std::move(state.findings));
  state_is_current_ = state.current;
  add(underlay_findings(socket_, *report, places_.daemon));
  add(host_findings(socket_, host_scene(*report)));
  if (!report->own) {
    return add(Verdict::kWrong, "stored state",
               "no lease of " + report->node + " in " + places_.overlay.state_dir.native() +
                   ": a reboot without the cloud would leave the node without network");
  }
  look_at_own_address(*report);
  for (const FamilyReport& family : report->families) look_at_family(family);
  look_at_rules(*report);
  add(conflict_findings(socket_, *report, places_.service_cidrs));
  if (places_.probe) add(reach_findings(clock_, *report));
}

void Doctor::look_without_overlay() {
  add(Verdict::kDoubtful, "overlay",
      "is not looked at: no flanneld of Holdfast has stored anything in " +
          places_.overlay.state_dir.native() + ", so another one keeps devices, peers and rules");
  std::error_code failed;
  if (std::filesystem::exists(places_.overlay.state_dir, failed)) {  // the plugin makes it with the first pod
    add(state_findings(files_, clock_, places_.overlay.state_dir, OverlayReport{}, DaemonReport{}).findings);
  }
  look_at_host();
}

/// By what is known without flanneld's own files.
void Doctor::look_at_host() {
  if (!lease_) return;
  add(host_findings(socket_, {.ipv4 = lease_->subnet.has_value(), .ipv6 = lease_->subnet6.has_value()}));
}

/// As it was told when something was stored last.
void Doctor::look_at_own_address(const OverlayReport& report) {
  if (daemon_.lacks(kPublicAddressWrong.type)) return;  // told already, and by who knows better
  const auto told = std::ranges::find(report.nodes, report.node, &NodeNetwork::node);
  if (told == report.nodes.end()) return;
  const std::string fault = address_fault(*told, *report.own);
  if (!fault.empty()) add(Verdict::kWrong, "own public address", fault);
}

void Doctor::look_at_family(const FamilyReport& family) {
  if (!family.trouble.empty()) {
    add(Verdict::kWrong, family.device,
        family.trouble + (daemon_.run
                              ? "; flanneld runs and should have put it right: what hinders it is above, "
                                "or in its log"
                              : "; flanneld puts it right when it runs"));
    return;
  }
  add(Verdict::kWell, family.device, "MAC " + family.own.vtep_mac.to_string());
  look_at_peers(family);
  const auto device = nl::find_link(socket_, family.device);
  if (device && *device) look_at_mtu(family, **device);
}

void Doctor::look_at_peers(const FamilyReport& family) {
  const std::string what = "peers on " + family.device;
  for (const RejectedPeer& peer : family.rejected) {
    add(Verdict::kWrong, "peer " + peer.node, "is left out: " + peer.why);
  }
  for (const SharedAddress& one : family.shared) {
    add(Verdict::kWrong, "public address " + one.address.to_string(),
        "is published by " + name_list(one.nodes) +
            ", and what is sent to it arrives at one machine: " + kSharedAddressCure);
  }
  std::string lacking;
  for (const PeerReport& peer : family.peers) {
    if (!peer.lacks.empty()) lacking += (lacking.empty() ? "" : ", ") + peer.peer.node;
  }
  if (!lacking.empty() && !state_is_current_) {
    return add(Verdict::kDoubtful, what,
               "other than the stored state wants them, which is not current: " + lacking);
  }
  if (!lacking.empty()) {
    return add(Verdict::kWrong, what, "not as wanted: " + lacking + "; see holdfast explain NODE");
  }
  if (family.strangers > 0) {
    return add(Verdict::kDoubtful, what,
               std::to_string(family.strangers) + " entries that no known peer wants");
  }
  add(Verdict::kWell, what, "all " + std::to_string(family.peers.size()) + " programmed");
}

void Doctor::look_at_mtu(const FamilyReport& family, const nl::Link& device) {
  const std::string what = "MTU of " + family.device;
  const auto underlay = nl::find_link(socket_, device.vxlan ? device.vxlan->device : 0);
  if (underlay && *underlay && device.mtu + kVxlanOverhead > (*underlay)->mtu) {
    return add(Verdict::kWrong, what,
               std::to_string(device.mtu) + " and " + std::to_string(kVxlanOverhead) + " for VXLAN exceed " +
                   std::to_string((*underlay)->mtu) + " of " + (*underlay)->name +
                   ": large packets are lost; set Backend.MTU, or restart flanneld");
  }
  // over IPv6 the tunnel takes 20 bytes more, which pods learn by path MTU discovery
  const std::uint32_t known = family.local.is_v4() ? 0 : 20;
  if (lease_ && lease_->mtu > device.mtu + known) {
    return add(Verdict::kWrong, what,
               std::to_string(device.mtu) + ", but pods are given " + std::to_string(lease_->mtu) +
                   ": large packets of theirs are lost; is Backend.MTU in net-conf.json more than the "
                   "external interface has? then mend it and restart flanneld");
  }
  add(Verdict::kWell, what, std::to_string(device.mtu));
}

void Doctor::look_at_rules(const OverlayReport& report) {
  RulesExpected expected;
  expected.state_is_current = state_is_current_;
  if (daemon_.run && daemon_.run->options) {
    expected.options = *daemon_.run->options;
    expected.runs = true;
  } else {
    expected.options.ip_masq = lease_ && lease_->masquerade;
  }
  SystemExecutor executor;
  add(rules_findings(files_, executor, report, expected));
}

}  // namespace

std::vector<Finding> examine(Files& files, Clock& clock, nl::Socket& socket, const DoctorPlaces& places) {
  return Doctor(files, clock, socket, places).examine();
}

}  // namespace holdfast::flannel

#include "cni-flannel/inspect/holdfast.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "cni-flannel/inspect/daemon_report.h"
#include "cni-flannel/inspect/doctor.h"
#include "cni-flannel/inspect/explain.h"
#include "cni-flannel/inspect/explain_by_kernel.h"
#include "cni-flannel/inspect/overlay_report.h"
#include "cni-flannel/inspect/pod_report.h"
#include "common/base/machine_ids.h"
#include "common/base/text.h"
#include "common/base/version.h"
#include "common/inspect/text_table.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {
namespace {

using Rows = std::vector<std::vector<std::string>>;

struct CommandLine {
  std::string command;
  std::string subject;  // of explain
  DoctorPlaces places;
  bool help = false;
  bool version = false;
};

Flags::Set to_path(std::filesystem::path& target) {
  return [&target](const std::string& value) -> Status {
    if (!value.starts_with('/')) return fail(Code::kInvalidArgument, "is not a path that begins with '/'");
    target = value;
    return {};
  };
}

void add_flags(Flags& flags, CommandLine& line) {
  flags.text("node-name", "NAME", "this node's name [$NODE_NAME, or that of flanneld or its store]",
             line.places.overlay.node_name);
  flags.value("net-config-path", "FILE", "flanneld's [/etc/kube-flannel/net-conf.json]",
              to_path(line.places.overlay.net_config));
  flags.value("subnet-file", "FILE", "flanneld's [/run/flannel/subnet.env]",
              to_path(line.places.subnet_file));
  flags.value("state-dir", "FOLDER", "flanneld's and the plugin's [/var/lib/cni/flannel-state]",
              [&line](const std::string& value) -> Status {
                HOLDFAST_CHECK(to_path(line.places.overlay.state_dir)(value));
                line.places.ipam.state_dir = value;
                return {};
              });
  flags.value("ipam-dir", "FOLDER", "the plugin's ipam.dataDir [/var/lib/cni/networks]",
              to_path(line.places.ipam.data_dir));
  flags.boolean("probe", "doctor sends a few packets to peers [true]", line.places.probe);
  flags.value("service-cidr", "CIDR", "flanneld's: the cluster's services; may be repeated",
              [&line](const std::string& value) -> Status {
                HOLDFAST_TRY(const Cidr range, Cidr::parse(value));
                line.places.service_cidrs.push_back(range.network());
                return {};
              });
  flags.boolean("help", "this text", line.help);
  flags.boolean("version", "the version", line.version);
}

/// Words first, then flags. `line` has what holds where no flag tells otherwise.
Result<CommandLine> parse(std::span<const std::string> arguments, std::span<Inspector* const> others,
                          CommandLine line) {
  const auto first_flag =
      std::ranges::find_if(arguments, [](const auto& word) { return word.starts_with('-'); });
  const std::vector<std::string> words(arguments.begin(), first_flag);
  const std::vector<std::string> given(first_flag, arguments.end());
  Flags flags;
  add_flags(flags, line);
  for (Inspector* other : others) other->add_flags(flags);
  HOLDFAST_CHECK(flags.parse(given));
  if (line.help || line.version) return line;
  if (words.empty()) return fail(Code::kInvalidArgument, "tell what to do: status, doctor or explain");
  line.command = words[0];
  const std::size_t expected = line.command == "explain" ? 2 : 1;
  if (line.command != "status" && line.command != "doctor" && line.command != "explain") {
    return fail(Code::kInvalidArgument,
                "'" + line.command + "' is none of status, doctor, explain, node, volume");
  }
  if (words.size() != expected) {
    return fail(Code::kInvalidArgument,
                line.command +
                    (expected == 2 ? " takes one NODE, NAMESPACE/POD or ADDRESS" : " takes no further word"));
  }
  if (expected == 2) line.subject = words[1];
  return line;
}

/// Where peers send to, of each family that the network has.
std::string own_addresses(const OverlayReport& overlay) {
  std::string out;
  for (const std::optional<AddressPool>& pool : {overlay.conf.ipv4, overlay.conf.ipv6}) {
    if (!pool) continue;
    const std::optional<IpAddress>& address = overlay.own->public_address(pool->network.family());
    out += (out.empty() ? "" : "  ") + (address ? address->to_string() : "-");
  }
  return out;
}

std::string state_of(const FamilyReport& family, const PeerReport& peer) {
  if (family.largest == 0 && !peer.lacks.empty()) return "NOT programmed: no device";
  if (peer.lacks.empty()) return peer.peer.direct_link == 0 ? "programmed" : "programmed, direct";
  return "LACKS " + std::to_string(peer.lacks.size()) + (peer.lacks.size() == 1 ? " entry" : " entries");
}

bool is_well(const FamilyReport& family) {
  return family.trouble.empty() && family.underlay_trouble.empty() && family.rejected.empty() &&
         std::ranges::all_of(family.peers, [](const PeerReport& peer) { return peer.lacks.empty(); });
}

void show_family(const FamilyReport& family, std::string& out) {
  out += "\n" + family.device + "  " + (family.trouble.empty() ? "up" : "WRONG: " + family.trouble) + "\n";
  if (!family.underlay_trouble.empty())
    out += "  external interface WRONG: " + family.underlay_trouble + "\n";
  Rows rows = {{"  PEER", "SUBNET", "ADDRESS", "VTEP MAC", "KERNEL"}};
  for (const PeerReport& peer : family.peers) {
    const PeerEnd& end = peer.peer.end;
    rows.push_back({"  " + peer.peer.node, end.subnet.to_string(), end.public_address.to_string(),
                    end.vtep_mac.to_string(), state_of(family, peer)});
  }
  for (const RejectedPeer& peer : family.rejected) {
    rows.push_back({"  " + peer.node, "-", "-", "-", "LEFT OUT: " + peer.why});
  }
  out += rows.size() > 1 ? text_table(rows) : "  no peers\n";
}

const char* state_of(PodState state) {
  switch (state) {
    case PodState::kConnected:
      return "connected";
    case PodState::kNoLink:
      return "no link";
    case PodState::kNoBridge:
      return "NO bridge";
    case PodState::kOutside:
      return "OUTSIDE the lease";
  }
  return "";
}

/// A pod without link may be about to start: that is no fault.
bool is_well(const PodAddress& pod) {
  return pod.state == PodState::kConnected || pod.state == PodState::kNoLink || pod.use.host_link.empty();
}

void show_pods(const PodReport& report, std::string& out) {
  out += "\npods\n";
  Rows rows = {{"  POD", "NETWORK", "ADDRESS", "LINK", "STATE"}};
  for (const PodAddress& pod : report.in_use) {
    rows.push_back(
        {"  " + name_of(pod.use), pod.network, pod.use.address.to_string(), pod.link, state_of(pod.state)});
  }
  for (const RememberedPod& pod : report.remembered) {
    for (const IpAddress& address : pod.binding.addresses) {
      rows.push_back({"  " + pod.binding.key.name_space + "/" + pod.binding.key.name, pod.network,
                      address.to_string(), "-", "not here, address kept"});
    }
  }
  out += rows.size() > 1 ? text_table(rows) : "  none\n";
}

/// As the flanneld that runs here was told.
CommandLine defaults_of(std::optional<DaemonRun> daemon) {
  CommandLine line;
  if (daemon && daemon->options) {
    const Options& told = *daemon->options;
    line.places.overlay.node_name = told.node_name;
    line.places.service_cidrs = told.service_cidrs;
    // a pod's is a ConfigMap, which nobody else sees; all else of a pod's is at its usual place on the node
    line.places.overlay.net_config = daemon->root.native() + told.net_config_path.native();
    if (daemon->same_files) {
      line.places.overlay.state_dir = told.state_dir;
      line.places.subnet_file = told.subnet_file;
      line.places.ipam.state_dir = told.state_dir;
    }
  }
  line.places.daemon = std::move(daemon);
  return line;
}

/// What a command works with.
struct Tools {
  Files& files;
  Clock& clock;
  nl::Socket& socket;
  const CommandLine& line;
  std::span<Inspector* const> others;
};

/// A file that cannot be read is doctor's matter.
std::optional<SubnetEnv> lease_of(const Tools& tools) {
  return read_lease(tools.files, tools.line.places.subnet_file).value_or(std::nullopt);
}

// False where neither a flanneld runs nor anything of one is, and no flag says that there should be.
Result<bool> has_flannel(const Tools& tools) {
  const DoctorPlaces& places = tools.line.places;
  if (places.daemon || places.overlay.net_config != OverlayPlaces{}.net_config) return true;
  HOLDFAST_TRY(const std::vector<std::string> conf,
               tools.files.list(places.overlay.net_config.parent_path()));
  HOLDFAST_TRY(const std::vector<std::string> state, tools.files.list(places.overlay.state_dir));
  return !conf.empty() || !state.empty();
}

/// Whether all is well with it.
bool show_overlay(const OverlayReport& overlay, const std::filesystem::path& state_dir, Answer& answer) {
  for (const std::string& note : overlay.notes) answer.error += "holdfast: " + note + "\n";
  if (overlay.own) {
    answer.out += overlay.own->node + "  " + own_addresses(overlay);
    for (const Cidr& cidr : overlay.own->pod_cidrs) answer.out += "  " + cidr.to_string();
    answer.out += overlay.cluster_id.empty() ? "\n" : "  cluster " + overlay.cluster_id + "\n";
  } else {
    answer.out += overlay.node + "  has no lease stored in " + state_dir.native() + "\n";
  }
  return overlay.own && overlay.notes.empty() &&
         std::ranges::all_of(overlay.families, [](const auto& one) { return is_well(one); });
}

/// By the plugin's files, where the overlay is another's.
void show_lease(const SubnetEnv& lease, Answer& answer) {
  answer.out += "lease ";
  for (const Cidr& subnet : subnets_of(lease)) answer.out += " " + subnet.to_string();
  answer.out += "  of another flanneld, whose overlay is not looked at\n";
}

Result<Answer> show_status(const Tools& tools) {
  const DoctorPlaces& places = tools.line.places;
  const std::filesystem::path& state_dir = places.overlay.state_dir;
  Answer answer;
  HOLDFAST_TRY(const bool on_this_node, has_flannel(tools));
  if (!on_this_node) {
    answer.out = "flannel  is not on this node: no flanneld runs, and there is no " +
                 places.overlay.net_config.native() + "\n";
    return answer;
  }
  const std::optional<SubnetEnv> lease = lease_of(tools);
  HOLDFAST_TRY(const PodReport pods,
               inspect_pods(tools.files, tools.clock, tools.socket, places.ipam, lease));
  const DaemonReport daemon = inspect_daemon(tools.clock, places.daemon);
  const Result<OverlayReport> overlay = inspect_overlay(tools.files, tools.socket, places.overlay);
  bool well =
      is_well(daemon) && std::ranges::all_of(pods.in_use, [](const auto& one) { return is_well(one); });
  if (lease && is_of_another(tools.files, daemon, state_dir)) {
    show_lease(*lease, answer);
  } else if (overlay) {
    well = show_overlay(*overlay, state_dir, answer) && well;
  } else {
    answer.error += "holdfast: " + overlay.error().message + "\n";
    well = false;
  }
  answer.out += "flanneld  " + state_of(daemon) + "\n";
  if (overlay) {
    for (const FamilyReport& family : overlay->families) show_family(family, answer.out);
  }
  show_pods(pods, answer.out);
  answer.status = well ? 0 : 1;
  return answer;
}

Result<Answer> show_findings(const Tools& tools) {
  Answer answer;
  Rows rows = {{"", "LOOKED AT", "FOUND"}};
  std::vector<Finding> findings = examine(tools.files, tools.clock, tools.socket, tools.line.places);
  for (Inspector* other : tools.others) {
    for (Finding& finding : other->examine()) findings.push_back(std::move(finding));
  }
  for (const Finding& finding : findings) {
    const char* mark = finding.verdict == Verdict::kWell ? "ok" : "??";
    if (finding.verdict == Verdict::kWrong) {
      mark = "WRONG";
      answer.status = 1;
    }
    rows.push_back({mark, finding.what, finding.detail});
  }
  answer.out = text_table(rows);
  return answer;
}

Result<Explanation> explain_network(const Tools& tools) {
  const std::string& subject = tools.line.subject;
  const DoctorPlaces& places = tools.line.places;
  const std::optional<SubnetEnv> lease = lease_of(tools);
  HOLDFAST_TRY(const PodReport pods,
               inspect_pods(tools.files, tools.clock, tools.socket, places.ipam, lease));
  Explanation pod = explain_pod(pods, subject);
  if (!pod.text.empty()) return pod;  // that says more than that its address is of this node
  const DaemonReport daemon = inspect_daemon(tools.clock, places.daemon);
  if (lease && is_of_another(tools.files, daemon, places.overlay.state_dir)) {
    return explain_by_kernel(tools.socket, *lease, subject);
  }
  HOLDFAST_TRY(const OverlayReport overlay, inspect_overlay(tools.files, tools.socket, places.overlay));
  return explain_node(overlay, subject);
}

Result<Answer> explain(const Tools& tools) {
  const std::string& subject = tools.line.subject;
  const Result<Explanation> network = explain_network(tools);
  Explanation all = network.value_or(Explanation{});
  if (!all.text.empty()) return Answer{all.well ? 0 : 1, all.text, ""};
  for (Inspector* other : tools.others) {
    const Explanation more = other->explain(subject);
    all.text += more.text;
    all.well = all.well && more.well;
  }
  if (!all.text.empty()) return Answer{all.well ? 0 : 1, all.text, ""};
  if (!network) return tl::unexpected(network.error());
  return fail(Code::kNotFound, "'" + subject +
                                   "' is no node that is known here, no pod that was here, and no " +
                                   "address of either; holdfast status lists them");
}

Result<Answer> run(Files& files, Clock& clock, CommandLine line, std::span<Inspector* const> others) {
  line.places.overlay.machine_id = read_machine_id(files).value_or("");
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
  const Tools tools{files, clock, socket, line, others};
  if (line.command == "status") return show_status(tools);
  if (line.command == "doctor") return show_findings(tools);
  return explain(tools);
}

// What stands before the flags.
constexpr const char* kUsage =
    R"(holdfast status | doctor | explain NODE|NAMESPACE/POD|ADDRESS | node forget NODE | volume allow-format DEVICE   [flags]

  status    the node's lease, its peers and its pods, and whether the kernel has them as wanted
  doctor    looks for what keeps pods from reaching each other, and names the cure
  explain   what is wanted of one peer or pod, what there is, and why they differ; of an address behind a gateway
            the way to it
  node      the volumes of a node that will not come back; it has flags of its own: holdfast node --help
  volume    the device that a volume was not formatted on; likewise: holdfast volume --help

Looks at files and the kernel, so it works with flanneld dead and the cloud away; where flanneld runs, its
flags are the defaults here, and it is asked for its conditions. Nothing is changed but by
`node forget NODE --lose-volumes` and `volume allow-format DEVICE --lose-content`.
Exit status: 0 all is well, 1 something is not, 2 wrong arguments.

)";

/// Names in files may hold anything.
std::string for_terminal(std::string_view text) {
  constexpr std::size_t kLongestLine = 8192;
  std::string out;
  while (!text.empty()) out += printable(take_until(text, '\n'), kLongestLine) + "\n";
  return out;
}

}  // namespace

std::string holdfast_help(std::span<Inspector* const> others) {
  CommandLine line;
  Flags flags;
  add_flags(flags, line);
  for (Inspector* other : others) other->add_flags(flags);
  return kUsage + flags.help();
}

Answer answer(Files& files, Clock& clock, std::span<const std::string> arguments,
              const Flags::Lookup& environment, std::span<Inspector* const> others) {
  CommandLine defaults = defaults_of(find_daemon_run());
  const std::optional<std::string> name = environment("NODE_NAME");
  if (name && !name->empty()) defaults.places.overlay.node_name = *name;
  Result<CommandLine> line = parse(arguments, others, std::move(defaults));
  if (!line) return {2, "", for_terminal("holdfast: " + line.error().message + "; see holdfast --help")};
  if (line->help) return {0, holdfast_help(others), ""};
  if (line->version) return {0, "holdfast " + std::string(version()) + "\n", ""};
  Result<Answer> done = run(files, clock, *std::move(line), others);
  if (!done) return {1, "", for_terminal("holdfast: " + done.error().message)};
  return {done->status, for_terminal(done->out), for_terminal(done->error)};
}

}  // namespace holdfast::flannel

#include "test/bench/overlay/daemon_run.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <thread>
#include <utility>

#include "cni-flannel/daemon/overlay_plan.h"
#include "cni-flannel/daemon/overlay_store.h"
#include "common/base/machine_ids.h"
#include "common/netlink/address.h"
#include "common/netlink/link.h"
#include "test/cni-flannel/daemon/overlay_peers.h"

namespace holdfast::bench {
namespace {

namespace fs = std::filesystem;
namespace peers = holdfast::flannel::test;
using Clock = std::chrono::steady_clock;

constexpr std::uint16_t kPort = 8081;
constexpr const char* kNode = "own";  // as bench::fill() calls it
constexpr const char* kPodCidr = "10.200.0.0/24";

Status write_file(const fs::path& path, const std::string& text) {
  const fs::path fresh = path.parent_path() / ("." + path.filename().string() + ".new");
  std::ofstream(fresh) << text;
  std::error_code failed;
  fs::rename(fresh, path, failed);
  return failed ? Status(fail_errno(failed.value(), "write " + path.string())) : Status{};
}

std::string document(const std::string& name, const std::string& public_ip, const std::string& cidr,
                     const std::string& more) {
  return "apiVersion: net.holdfast.dev/v1alpha1\nkind: NodeNetworkConfiguration\nmetadata: {name: " + name +
         "}\nspec:\n  flannel:\n    publicIP: " + public_ip + "\n    podCidr: " + cidr + "\n" + more;
}

flannel::NodeNetwork network_of(const flannel::WantedPeer& peer) {
  flannel::NodeNetwork out;
  out.node = peer.node;
  out.backend_type = flannel::kVxlanBackend;
  out.pod_cidrs = {peer.end.subnet};
  out.backend_data = flannel::BackendData{1, peer.end.vtep_mac};
  out.public_ip = peer.end.public_address;
  return out;
}

[[noreturn]] void become(const OverlayNode& node) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int log = ::open((node.work / "log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  ::dup2(log, 1);
  ::dup2(log, 2);
  std::vector<std::string> arguments{node.program.string(),
                                     "--node-name=" + std::string(kNode),
                                     "--net-config-path=" + (node.work / "net-conf.json").string(),
                                     "--subnet-file=" + (node.work / "run/subnet.env").string(),
                                     "--network-drop-ins=false",
                                     "--state-dir=" + (node.work / "state").string(),
                                     "--no-masq-dir=" + (node.work / "no-masq.d").string(),
                                     "--ip-masq",
                                     "--healthz-ip=127.0.0.1",
                                     "--healthz-port=" + std::to_string(kPort)};
  std::vector<std::string> source = node.source;
  if (source.empty()) source = {"--source=dir", "--config-dir=" + (node.work / "nodes").string()};
  arguments.insert(arguments.end(), source.begin(), source.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

/// Whether /readyz answers 200.
bool is_ready() {
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(kPort);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return false;
  constexpr std::string_view kRequest = "GET /readyz HTTP/1.1\r\n\r\n";
  if (::send(fd.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) < 0) return false;
  std::array<char, 16> answer{};
  const ssize_t got = ::recv(fd.get(), answer.data(), answer.size(), MSG_WAITALL);
  return got > 0 &&
         std::string_view(answer.data(), static_cast<std::size_t>(got)).starts_with("HTTP/1.1 200");
}

std::uint64_t kilobytes_behind(const fs::path& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(key)) return std::stoull(line.substr(key.size()));
  }
  return 0;
}

}  // namespace

std::string mac_of(unsigned n, unsigned version) {
  MacAddress::Bytes bytes = peers::numbered_peer(n).end.vtep_mac.bytes();
  bytes[1] = static_cast<std::uint8_t>(version);
  return MacAddress(bytes).to_string();
}

Status OverlayNode::enter() {
  if (::unshare(CLONE_NEWNET) != 0) return fail_errno(errno, "unshare a network namespace");
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
  nl::VethSpec link;
  link.name = "eth0";
  link.peer_name = "wire";
  HOLDFAST_TRY(const nl::Link made, nl::create_veth(socket, link));
  HOLDFAST_TRY(const auto lo, nl::find_link(socket, "lo"));
  HOLDFAST_TRY(const auto wire, nl::find_link(socket, "wire"));
  if (!lo || !wire) return fail(Code::kInternal, "the namespace lacks a link that was just made");
  for (const int index : {lo->index, wire->index}) {
    HOLDFAST_CHECK(socket.run(nl::change_link(index, {.up = true})));
  }
  HOLDFAST_CHECK(socket.run(nl::put_address(made.index, peers::cidr("172.30.0.1/24"))));
  nl::Route route;
  route.dst = peers::cidr("0.0.0.0/0");
  route.gateway = peers::ip("172.30.0.254");
  return socket.run(nl::put_route(route));
}

Status OverlayNode::write_peer(unsigned n, unsigned version) const {
  const flannel::WantedPeer peer = peers::numbered_peer(n);
  return write_file(work / "nodes" / (peer.node + ".yaml"),
                    document(peer.node, peer.end.public_address.to_string(), peer.end.subnet.to_string(),
                             "    backendData: {VNI: 1, VtepMAC: \"" + mac_of(n, version) + "\"}\n"));
}

Status OverlayNode::write_files(unsigned count) const {
  std::error_code failed;
  fs::remove_all(work / "nodes", failed);
  fs::create_directories(work / "nodes", failed);
  HOLDFAST_CHECK(
      write_file(work / "net-conf.json", R"({"Network": "10.0.0.0/8", "Backend": {"Type": "vxlan"}})"));
  HOLDFAST_CHECK(write_file(work / "nodes/own.yaml", document(kNode, "172.30.0.1", kPodCidr, "")));
  for (unsigned n = 1; n <= count; ++n) HOLDFAST_CHECK(write_peer(n, 0));
  return {};
}

Result<OverlayNode> OverlayNode::with_api(const std::string& url) const {
  HOLDFAST_CHECK(write_files(0));
  std::error_code failed;
  for (const char* folder : {"nodes", "state", "run"}) fs::remove_all(work / folder, failed);
  HOLDFAST_CHECK(write_file(work / "kubeconfig",
                            "current-context: bench\n"
                            "contexts: [{name: bench, context: {cluster: bench}}]\n"
                            "clusters: [{name: bench, cluster: {server: \"" +
                                url + "\"}}]\n"));
  return OverlayNode{program, work, {"--source=crd", "--kubeconfig-file=" + (work / "kubeconfig").string()}};
}

Status OverlayNode::write_store(unsigned count) const {
  std::error_code failed;
  fs::remove_all(work / "nodes", failed);
  fs::remove_all(work / "state", failed);
  PosixFiles files;
  HOLDFAST_TRY(const std::string machine, read_machine_id(files));
  flannel::OverlayStore store(files, work / "state", {"", kNode, machine});
  flannel::OverlayState state;
  flannel::WantedPeer own;
  own.node = kNode;
  own.end = {peers::cidr(kPodCidr), peers::mac("66:00:00:00:ff:ff"), peers::ip("172.30.0.1")};
  state.own = network_of(own);
  state.mtu = 1450;
  for (const flannel::WantedPeer& peer : peers::numbered_peers(count)) {
    flannel::NodeNetworkObject object;
    object.identity.name = peer.node;
    object.network = network_of(peer);
    state.peers.push_back(std::move(object));
  }
  return store.save(state);
}

Result<DaemonRun> DaemonRun::start(const OverlayNode& node) {
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno(errno, "fork");
  if (pid == 0) become(node);
  return DaemonRun(pid);
}

void DaemonRun::end() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

Result<std::chrono::nanoseconds> DaemonRun::wait_ready() {
  while (!is_ready()) {
    if (Clock::now() - begun_ > std::chrono::seconds(30)) {
      return fail(Code::kDeadlineExceeded, "flanneld is not ready after 30 s; see its log");
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  return Clock::now() - begun_;
}

DaemonRun::Memory DaemonRun::memory() const {
  const fs::path process = fs::path("/proc") / std::to_string(pid_);
  return {kilobytes_behind(process / "smaps_rollup", "Pss:") * 1024,
          kilobytes_behind(process / "status", "RssAnon:") * 1024};
}

Result<Programmed> count_programmed(nl::Socket& socket) {
  HOLDFAST_TRY(const std::optional<nl::Link> device, nl::find_link(socket, "flannel.1"));
  if (!device) return Programmed{};
  HOLDFAST_TRY(const auto neighbours, nl::list_neighbours(socket, device->index, IpFamily::kV4));
  HOLDFAST_TRY(const auto fdb, nl::list_fdb(socket, device->index));
  nl::RouteFilter filter;
  filter.ifindex = device->index;
  filter.family = IpFamily::kV4;
  filter.protocol = flannel::kOverlayRouteProtocol;
  HOLDFAST_TRY(const auto routes, nl::list_routes(socket, filter));
  return Programmed{neighbours.size(), fdb.size(), routes.size()};
}

}  // namespace holdfast::bench

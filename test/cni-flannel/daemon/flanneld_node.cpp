#include "test/cni-flannel/daemon/flanneld_node.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "common/netlink/link.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

using Time = std::chrono::steady_clock;

void write_file(const std::filesystem::path& path, const std::string& text) {
  // as a rename, so that no reader sees half of it
  const std::filesystem::path fresh = path.parent_path() / ("." + path.filename().string() + ".new");
  std::ofstream(fresh) << text;
  std::filesystem::rename(fresh, path);
}

std::string read_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string run_in(int netns, const std::string& command) {
  std::string out;
  std::string error;
  const Status done = nl::run_in_netns(netns, [&] {
    try {
      out = output_of(command);
    } catch (const std::runtime_error& failed) {
      error = failed.what();
    }
  });
  if (!done) throw std::runtime_error(done.error().message);
  if (!error.empty()) throw std::runtime_error(error);
  return out;
}

/// Becomes the program, which ends with us.
[[noreturn]] void become(const std::vector<std::string>& arguments, const std::string& log) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ::dup2(out, 1);
  ::dup2(out, 2);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

int exit_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

}  // namespace

Lan::Lan() : netns_(new_netns()) {
  nl::Socket socket = nl::Socket::open_in(netns_.get()).value();
  bridge_ = nl::create_bridge(socket, {.name = "lan"}).value().index;
}

void Lan::plug(int netns, int number, const std::string& name) {
  nl::Socket socket = nl::Socket::open_in(netns_.get()).value();
  nl::VethSpec link;
  link.name = "port" + std::to_string(number);
  link.master = bridge_;
  link.peer_name = name;
  link.peer_netns_fd = netns;
  nl::create_veth(socket, link).value();
}

void Lan::connect(int netns, int number, const std::vector<std::string>& addresses) {
  plug(netns, number, "eth0");
  std::string commands = "ip link set lo up && ip link set eth0 up";
  for (const std::string& address : addresses)
    commands +=
        " && ip addr add " + address + " dev eth0" + (address.find(':') == std::string::npos ? "" : " nodad");
  static_cast<void>(run_in(netns, commands + " && ip route add default via 192.168.77.254"));
}

void Lan::add_address(const std::string& cidr) {
  static_cast<void>(run_in(netns_.get(), "ip addr add " + cidr + " dev lan && ip link set lan up"));
}

FlanneldNode::FlanneldNode(std::filesystem::path home, std::string name)
    : net_conf(R"({"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}})"),
      nodes_(home / "nodes"),
      name_(std::move(name)),
      home_(home / name_),
      netns_(new_netns()) {
  std::filesystem::create_directories(nodes_);
  std::filesystem::create_directories(home_);
}

FlanneldNode::FlanneldNode(Lan& lan, std::filesystem::path home, int number)
    : FlanneldNode(std::move(home), "node" + std::to_string(number)) {
  number_ = number;
  const std::string n = std::to_string(number);
  lan.connect(netns_.get(), number, {"192.168.77." + n + "/24", "2001:db8::" + n + "/64"});
  static_cast<void>(run("ip link add cni0 type bridge && ip addr add 10.244." + n +
                        ".1/24 dev cni0 && ip link set cni0 up && sysctl -qw net.ipv4.ip_forward=1"));
}

void FlanneldNode::publish(const std::string& more) const {
  write_document("10.244." + std::to_string(number_) + ".0/24", more);
}

void FlanneldNode::publish_as(const std::string& pod_cidr) const { write_document(pod_cidr, ""); }

void FlanneldNode::write_document(const std::string& pod_cidr, const std::string& more) const {
  const std::string n = std::to_string(number_);
  write_file(nodes_ / ("node" + n + ".yaml"),
             "apiVersion: net.holdfast.dev/v1alpha1\nkind: NodeNetworkConfiguration\nmetadata: {name: node" +
                 n + "}\nspec:\n  flannel:\n    publicIP: 192.168.77." + n + "\n    publicIPv6: 2001:db8::" +
                 n + "\n    podCIDRs: [" + pod_cidr + ", \"fd00:0:0:" + n + "::/64\"]\n" + more);
}

void FlanneldNode::unpublish() const {
  std::filesystem::remove(nodes_ / ("node" + std::to_string(number_) + ".yaml"));
}

std::vector<std::string> FlanneldNode::arguments(const std::vector<std::string>& more) const {
  std::vector<std::string> out{FLANNELD_PROGRAM,
                               "--source=dir",
                               "--config-dir=" + nodes_.native(),
                               "--node-name=" + name_,
                               "--net-config-path=" + path("net-conf.json").native(),
                               "--subnet-file=" + path("run/subnet.env").native(),
                               "--state-dir=" + path("state").native(),
                               "--ipam-dir=" + path("networks").native(),
                               "--no-masq-dir=" + path("run/no-masq.d").native(),
                               "--run-dir=" + path("run").native(),
                               "--healthz-ip=127.0.0.1",
                               "--healthz-port=8081",
                               "--log-level=debug"};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

void FlanneldNode::spawn(const std::vector<std::string>& arguments) {
  write_file(path("net-conf.json"), net_conf);
  const std::string log = path("log").native();
  std::filesystem::remove(log);
  const Status done = nl::run_in_netns(netns_.get(), [&] {
    pid_ = ::fork();
    if (pid_ == 0) become(arguments, log);
  });
  if (!done || pid_ < 0) throw std::runtime_error("cannot start flanneld");
}

void FlanneldNode::start(const std::vector<std::string>& more) { spawn(arguments(more)); }

void FlanneldNode::start_after(const std::string& before, const std::vector<std::string>& more) {
  std::vector<std::string> all{"/usr/bin/unshare",       "--mount", "/bin/sh", "-ec",
                               before + "; exec \"$@\"", "sh"};
  for (std::string& argument : arguments(more)) all.push_back(std::move(argument));
  spawn(all);
}

int FlanneldNode::stop(int signal) {
  if (pid_ < 0) return -1;
  ::kill(pid_, signal);
  return wait();
}

int FlanneldNode::wait() {
  const auto end = Time::now() + std::chrono::seconds(5);
  int status = 0;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    if (Time::now() > end) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, &status, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  pid_ = -1;
  return exit_code(status);
}

std::string FlanneldNode::run(const std::string& command) const { return run_in(netns_.get(), command); }

bool FlanneldNode::can(const std::string& command) const {
  try {
    static_cast<void>(run(command));
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

std::string FlanneldNode::log() const { return read_file(home_ / "log"); }

std::string FlanneldNode::vtep_mac() const {
  return run("ip -o link show flannel.1 | grep -o 'link/ether [^ ]*'");
}

std::string FlanneldNode::get(const std::string& path) const {
  const std::string script =
      "exec 3<>/dev/tcp/127.0.0.1/8081 && printf \"GET " + path + " HTTP/1.0\\r\\n\\r\\n\" >&3 && cat <&3";
  try {
    return run("bash -c '" + script + "' 2>/dev/null");
  } catch (const std::runtime_error&) {
    return "";
  }
}

double FlanneldNode::metric(const std::string& name) const {
  const std::string all = get("/metrics");
  const std::size_t at = all.find("\n" + name + " ");
  if (at == std::string::npos) throw std::runtime_error("no metric " + name + " in:\n" + all);
  return std::stod(all.substr(at + name.size() + 2));
}

std::chrono::milliseconds until(const std::function<bool()>& holds, std::chrono::milliseconds patience) {
  const auto begun = Time::now();
  for (;;) {
    const bool held = holds();
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Time::now() - begun);
    if (held) return took;
    if (took > patience) {
      FAIL("it did not come about within " << patience.count() << " ms");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void print_time(const std::string& name, std::chrono::milliseconds took) {
  std::printf("%s: %lld ms\n", name.c_str(), static_cast<long long>(took.count()));
}

}  // namespace holdfast::test

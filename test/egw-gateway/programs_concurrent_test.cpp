// egw-helper, egw-core and egw-access as they are run, with all their threads and sockets, in one process: so
// that what two threads do to one thing is seen, whichever of the programs it is in.

#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/wireguard/key.h"
#include "egw-gateway/access/access.h"
#include "egw-gateway/access/options.h"
#include "egw-gateway/core/core.h"
#include "egw-gateway/core/core_options.h"
#include "egw-gateway/helper/helper.h"
#include "egw-gateway/helper/options.h"
#include "test/catch.h"
#include "test/fakes/log_lines.h"
#include "test/fakes/temporary_folder.h"
#include "test/mount/fresh_mounts.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;
using test::output_in;

/// No thread takes them but by its program's descriptor.
struct BlockedSignals {
  BlockedSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  }
};

/// A program on a thread, in a network namespace.
class Running {
 public:
  Running(int netns, std::function<Status()> program)
      : thread_([this, netns, program = std::move(program)] {
          if (::setns(netns, CLONE_NEWNET) == 0) ended_ = program();
          has_ended_ = true;
        }) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    end();
    thread_.join();
  }

  /// As often as it takes: a signal is for whichever program reads it.
  void end() const {
    while (!has_ended_) {
      ::kill(::getpid(), SIGTERM);
      std::this_thread::sleep_for(50ms);
    }
  }
  /// After end().
  [[nodiscard]] const Status& ended() const { return ended_; }
  [[nodiscard]] bool runs() const { return !has_ended_; }

 private:
  Status ended_ = fail(Code::kInternal, "it did not run");
  std::atomic<bool> has_ended_ = false;
  std::thread thread_;  // last: it uses the others
};

/// A node of the pool with its gateway's pod beside it, and an access point:
///
///     node  eth0 10.244.1.1 --- eth0 10.244.1.7  core
///           uplink 192.0.2.1 --- eth0 192.0.2.2  access
struct Site {
  Site() {
    for (const char* name : {"gateways", "run"}) std::filesystem::create_directories(folder / name);
    if (::mount((folder / "run").c_str(), "/run", nullptr, MS_BIND, nullptr) != 0)
      throw std::runtime_error("cannot mount a /run of our own");
    const auto path = [](const Fd& netns) {
      return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(netns.get());
    };
    output_in(node.get(),
              "ip link set lo up && sysctl -qw net.ipv4.ip_forward=1 && "
              "ip link add eth0 type veth peer eth0 netns " +
                  path(core) + " && ip link add uplink type veth peer eth0 netns " + path(access) +
                  " && ip addr add 10.244.1.1/24 dev eth0 && ip addr add 192.0.2.1/24 dev uplink && "
                  "ip link set eth0 up && ip link set uplink up");
    output_in(core.get(),
              "ip link set lo up && sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 "
              "net.ipv4.conf.all.rp_filter=2 && ip addr add 10.244.1.7/24 dev eth0 && ip link set eth0 up && "
              "ip route add default via 10.244.1.1");
    output_in(access.get(),
              "ip link set lo up && ip addr add 192.0.2.2/24 dev eth0 && ip link set eth0 up && "
              "ip route add 10.244.1.7 via 192.0.2.1");
    for (const auto& [name, key] : {std::pair("core.key", &core_key), std::pair("access.key", &access_key)})
      std::ofstream(folder / name) << key->reveal() << "\n";
    write_liveness_keys("1 one\n");
  }

  void publish(int number) const {
    const auto public_half = [](const wireguard::SecretKey& key) { return public_key_of(key)->to_string(); };
    std::ofstream(folder / "gateways" / ".next")
        << "apiVersion: net.holdfast.dev/v1alpha1\nkind: EdgeGateway\nmetadata: {name: hz}\nspec:\n"
           "  podCIDRs: [10.244.0.0/16]\n  vpcCIDRs: [172.16.0.0/16, 172.17."
        << number
        << ".0/24]\n  accessPoints:\n    - {name: one, address: 192.0.2.2, port: 51820, priority: 100, "
           "tunnelAddresses: [198.18.0.1], publicKey: "
        << public_half(access_key)
        << "}\n  gateways:\n    - {name: a, node: box-1, podAddresses: [10.244.1.7], tunnel: 1, "
           "tunnelAddresses: [198.18.0.11], publicKeys: ["
        << public_half(core_key)
        << "]}\n  nodes:\n    - {name: box-1, podCIDRs: [10.244.1.0/24], addresses: [192.0.2.1]}\n"
           "  liveness: {keySecret: hz-liveness}\n";
    std::filesystem::rename(folder / "gateways" / ".next", folder / "gateways" / "hz.yaml");
  }
  void write_liveness_keys(const std::string& text) const {
    std::ofstream(folder / "next") << text;
    std::filesystem::rename(folder / "next", folder / "liveness");
  }
  [[nodiscard]] Status run_helper() {
    HelperOptions options;
    options.pool = "hz";
    options.node_name = "box-1";
    options.source = from_folder();
    options.state_dir = folder / "helper";
    options.no_masq_dir = folder / "no-masq.d";
    options.bfd_keys = folder / "liveness";
    options.links.bridge = "eth0";
    options.resync = 1s;
    options.healthz = kPages;
    return gateway::run_helper(options, log);
  }
  [[nodiscard]] Status run_core() {
    CoreOptions options;
    options.pool = "hz";
    options.gateway = "a";
    options.source = from_folder();
    options.private_key = folder / "core.key";
    options.bfd_keys = folder / "liveness";
    options.state_dir = folder / "core";
    options.wireguard = wireguard::Engine::kUserSpace;
    options.resync = 1s;
    options.healthz = kPages;
    return gateway::run_core(options, log);
  }
  [[nodiscard]] Status run_access() {
    AccessOptions options;
    options.access_point = "one";
    options.source = from_folder();
    options.private_key = folder / "access.key";
    options.state_dir = folder / "access";
    options.engine = wireguard::Engine::kUserSpace;
    options.resync = 1s;
    options.healthz = kPages;
    return gateway::run_access(options, log);
  }

  [[nodiscard]] static std::string page(const Fd& netns, const std::string& path) {
    return output_in(netns.get(), "timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/8082 && printf \"GET " +
                                      path + " HTTP/1.0\\r\\n\\r\\n\" >&3 && cat <&3' 2>/dev/null || true");
  }
  [[nodiscard]] bool is_ready() const {
    return std::ranges::all_of(std::array{&node, &core, &access}, [](const Fd* netns) {
      return page(*netns, "/readyz").find(" 200 OK") != std::string::npos;
    });
  }
  void wait_until_ready() const {
    const auto end = std::chrono::steady_clock::now() + 90s;
    while (!is_ready()) {
      if (std::chrono::steady_clock::now() > end) {
        for (const Fd* netns : {&node, &core, &access}) UNSCOPED_INFO(page(*netns, "/readyz?verbose"));
        FAIL("not all programs have become ready");
      }
      std::this_thread::sleep_for(100ms);
    }
  }

  test::FreshMounts mounts;
  test::TemporaryFolder folder;
  Fd node = test::new_netns();
  Fd core = test::new_netns();
  Fd access = test::new_netns();
  test::LogLines log;
  wireguard::SecretKey core_key = wireguard::SecretKey::generate().value();
  wireguard::SecretKey access_key = wireguard::SecretKey::generate().value();

 private:
  static inline const http::ListenAddress kPages{IpAddress::v4({127, 0, 0, 1}), 8082};
  [[nodiscard]] SourceOptions from_folder() const {
    SourceOptions out;
    out.kind = SourceKind::kDir;
    out.config_dir = folder / "gateways";
    return out;
  }
};

TEST_CASE("The programs of a gateway go through a day together with all their threads", "[concurrent]") {
  const BlockedSignals blocked;
  Site site;
  site.publish(0);
  Running access(site.access.get(), [&] { return site.run_access(); });
  Running core(site.core.get(), [&] { return site.run_core(); });
  Running helper(site.node.get(), [&] { return site.run_helper(); });
  site.wait_until_ready();
  for (int number = 1; number <= 5; ++number) {
    site.publish(number);
    ::kill(::getpid(), SIGHUP);
    for (const Fd* netns : {&site.node, &site.core, &site.access}) {
      output_in(netns->get(), "nft flush ruleset; ip route flush proto 157; ip route flush proto 158; true");
      static_cast<void>(Site::page(*netns, "/metrics"));
    }
  }
  site.write_liveness_keys("2 two\n1 one\n");
  output_in(site.core.get(), "ip link del wg-one");
  site.wait_until_ready();
  CHECK(output_in(site.node.get(), "ip route show table 20158").find("172.17.5.0/24 via 10.244.1.7") !=
        std::string::npos);
  for (Running* program : {&helper, &core, &access}) {
    REQUIRE(program->runs());
  }
  for (Running* program : {&helper, &core, &access}) {
    program->end();
    CHECK(program->ended().has_value());
  }
}

}  // namespace
}  // namespace holdfast::gateway

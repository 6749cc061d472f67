// A store that the DaemonSet's pod wrote, and the host's boot unit that closes ranges by it.

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base/text.h"
#include "egw-gateway/controller/pool_objects.h"
#include "test/catch.h"
#include "test/egw-gateway/helper/gateway_scene.h"

namespace holdfast::gateway {
namespace {

using holdfast::test::Machine;
using holdfast::test::until;
using nlohmann::json;

constexpr const char* kMachine = "0123456789abcdef0123456789abcdef\n";
constexpr const char* kOtherMachine = "fedcba9876543210fedcba9876543210\n";

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::vector<std::string> out;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

/// What follows "KEY=" in the unit, of all such lines together.
std::vector<std::string> words_of(const std::vector<std::string>& unit, const std::string& key) {
  std::string all;
  for (const std::string& line : unit) {
    if (line.starts_with(key + "=")) all += line.substr(key.size() + 1) + " ";
  }
  return words_of(all);
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

/// A host with its own /etc, /run and /var/lib, on which pods and units are run; each start() of a kernel is
/// another network namespace.
class Host {
 public:
  Host() {
    for (const char* name : {"etc/default", "run", "var/lib"})
      std::filesystem::create_directories(root_ / name);
    write(root_ / "etc/machine-id", kMachine);
    write(
        root_ / "etc/default/egw-helper",
        "# as shipped\n" + text_of(std::filesystem::path(HOLDFAST_PACKAGING) / "gateway/egw-helper.default"));
    write(gateways() / "hangzhou.yaml",
          "apiVersion: net.holdfast.dev/v1alpha1\nkind: EdgeGateway\nmetadata: {name: hangzhou}\nspec:\n"
          "  podCIDRs: [10.244.0.0/16]\n  vpcCIDRs: [172.16.0.0/16, \"fd00:20::/48\"]\n"
          "  gateways: [{name: a, node: node1, podAddresses: [10.244.1.7]}]\n");
    boot();
  }

  void boot() {
    kernel_ = std::make_unique<Machine>();
    static_cast<void>(
        kernel_->run("ip link add up0 type bridge && ip addr add 192.168.1.2/24 dev up0 && "
                     "ip link set up0 up && ip route add default via 192.168.1.1 && "
                     "ip addr add fd00:1::2/64 dev up0 nodad && "
                     "ip -6 route add default via fd00:1::1"));
  }
  void change_machine() const { write(root_ / "etc/machine-id", kOtherMachine); }
  [[nodiscard]] std::filesystem::path store() const { return root_ / "var/lib/egw/helper.json"; }
  [[nodiscard]] std::string log() const { return text_of(folder_ / "log"); }

  /// The DaemonSet's container: of this host's files it sees what its pod mounts, and no other.
  void start_pod(test::Program& program) const {
    const json pod = helper_object({"egw", "image"}, "hangzhou")["spec"]["template"]["spec"];
    const json& container = pod["containers"][0];
    std::string script = "set -e; mount -t tmpfs t /etc; mount -t tmpfs t /var/lib; mount -t tmpfs t /run\n";
    for (const json& mount : container["volumeMounts"]) script += mounting(pod, mount);
    write(folder_ / "liveness", "1 swordfish\n");
    script += "exec " EGW_HELPER_PROGRAM;
    for (const json& argument : container["args"]) script += " '" + expanded(argument) + "'";
    script +=
        " --source=dir --config-dir=" + gateways().native() + " --healthz=127.0.0.1:0 --removal-delay=0";
    program.start(kernel_->netns.get(), {"/usr/bin/unshare", "--mount", "sh", "-c", script}, folder_ / "log");
  }

  /// Returns its exit status.
  int run_boot_unit() const {
    const auto unit = lines_of(std::filesystem::path(HOLDFAST_PACKAGING) / "gateway/egw-helper-boot.service");
    std::vector<std::string> variables;
    for (const std::string& file : words_of(unit, "EnvironmentFile")) {
      for (const std::string& line : lines_of(root_ / file.substr(file.find('/') + 1))) {
        if (!line.starts_with('#')) variables.push_back(line);
      }
    }
    for (const std::string& name : words_of(unit, "UnsetEnvironment"))
      std::erase_if(variables, [&](const std::string& one) { return one.starts_with(name + "="); });
    std::string script = "set -e; mount --bind " + (root_ / "etc").native() + " /etc; mount --bind " +
                         (root_ / "var/lib").native() + " /var/lib\nexec env -i";
    for (const std::string& one : variables) script += " '" + one + "'";
    std::vector<std::string> command = words_of(unit, "ExecStart");
    REQUIRE(command.at(0) == "/usr/sbin/egw-helper");
    command[0] = EGW_HELPER_PROGRAM;
    for (const std::string& word : command) script += " " + word;
    test::Program program;
    program.start(kernel_->netns.get(), {"/usr/bin/unshare", "--mount", "sh", "-c", script}, folder_ / "log");
    return program.wait();
  }

  /// Whether a packet for the VPC may leave by any link, by either family.
  [[nodiscard]] bool is_open() const {
    return kernel_->can("ip route get 172.16.0.5") || kernel_->can("ip route get fd00:20::5");
  }
  [[nodiscard]] bool can(const std::string& command) const { return kernel_->can(command); }

 private:
  [[nodiscard]] std::filesystem::path gateways() const { return folder_ / "gateways"; }
  static std::string text_of(const std::filesystem::path& path) {
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
  }
  static std::string expanded(std::string argument) {
    const std::string variable = "$(NODE_NAME)";
    const std::size_t at = argument.find(variable);
    return at == std::string::npos ? argument : argument.replace(at, variable.size(), "node3");
  }
  [[nodiscard]] std::string mounting(const json& pod, const json& mount) const {
    const auto volume =
        std::ranges::find_if(pod["volumes"], [&](const json& one) { return one["name"] == mount["name"]; });
    REQUIRE(volume != pod["volumes"].end());
    const std::string to = mount["mountPath"];
    if (!volume->contains("hostPath"))  // the Secret
      return "mkdir -p " + to + " && cp " + (folder_ / "liveness").native() + " " + to + "/keys\n";
    const std::filesystem::path from = root_ / std::string((*volume)["hostPath"]["path"]).substr(1);
    if (std::string((*volume)["hostPath"]["type"]).starts_with("File")) {
      return "touch " + from.native() + " && touch " + to + " && mount --bind " + from.native() + " " + to +
             "\n";
    }
    return "mkdir -p " + from.native() + " " + to + " && mount --bind " + from.native() + " " + to + "\n";
  }

  test::TemporaryFolder folder_;
  std::filesystem::path root_ = folder_ / "root";
  std::unique_ptr<Machine> kernel_;
};

TEST_CASE("What the pool's pod has stored the host's boot unit closes by, as it is shipped", "[gateway]") {
  Host host;
  test::Program pod;
  host.start_pod(pod);
  until([&] { return std::filesystem::exists(host.store()); });
  until([&] { return !host.is_open(); });
  pod.stop(SIGKILL);
  host.boot();
  REQUIRE(host.is_open());
  SECTION("by its own store") {
    CHECK(host.run_boot_unit() == 0);
    CHECK_FALSE(host.is_open());
  }
  SECTION("but for the networks that the node had, which may be all that its cluster is reached by") {
    host.boot();
    REQUIRE(host.can("ip addr add 172.16.5.2/24 dev up0"));
    host.start_pod(pod);
    until([&] { return host.can("grep -q 172.16.5.0/24 " + host.store().native()); });
    pod.stop(SIGKILL);
    host.boot();
    CHECK(host.run_boot_unit() == 0);
    REQUIRE(host.can("ip addr add 172.16.5.2/24 dev up0"));
    CHECK(host.can("ip route get 172.16.5.1"));
    CHECK(host.can("ping -c 1 -W 5 -q 172.16.5.2"));
    REQUIRE(host.can("ip link set lo up && ip addr add 172.16.9.9/32 dev lo"));
    CHECK(host.can("ping -c 1 -W 5 -q 172.16.9.9"));
    CHECK_FALSE(host.can("ip route get 172.16.6.1"));
    CHECK_FALSE(host.is_open());
  }
  SECTION("by another machine's, which it tells of by failing, until the pool is heard of") {
    host.change_machine();
    CHECK(host.run_boot_unit() == 1);
    CHECK_FALSE(host.is_open());
    CHECK_THAT(host.log(), Catch::Contains("ranges were closed, though not by this node's own store"));
    host.start_pod(pod);
    until([&] { return host.can("grep -q fedcba9876 " + host.store().native()); });
    CHECK_FALSE(host.is_open());
    pod.stop(SIGKILL);
    CHECK(host.run_boot_unit() == 0);
  }
  SECTION("by the plain list of ranges where the store is damaged, and at the next boot again") {
    const char* damage = GENERATE("truncate -s 20 ", "cp /dev/null ", "sed -i s/v1/v9/ ");
    REQUIRE(host.can(damage + host.store().native()));
    for (int i = 0; i < 2; ++i) {
      CHECK(host.run_boot_unit() == 1);
      CHECK_FALSE(host.is_open());
      host.boot();
    }
    CHECK_THAT(host.log(), Catch::Contains("ranges were closed, though not by this node's own store"));
  }
  SECTION("and says so when there is nothing that it could close by") {
    std::filesystem::resize_file(host.store(), 20);
    std::filesystem::remove(host.store().parent_path() / "closed-ranges");
    CHECK(host.run_boot_unit() == 1);
    CHECK_THAT(host.log(), Catch::Contains("no range was closed"));
    CHECK(host.run_boot_unit() == 0);  // now nothing is there
  }
  SECTION("and stays closed though a network manager takes away all routes and rules that are not its own") {
    CHECK(host.run_boot_unit() == 0);
    REQUIRE(
        host.can("for f in -4 -6; do ip $f route flush table all proto 157; ip $f rule del pref 10157; "
                 "ip $f rule del pref 10158; done"));
    REQUIRE(host.is_open());
    REQUIRE(
        host.can("nft add table inet watch && nft 'add chain inet watch out { type filter hook postrouting "
                 "priority 300; }' && nft add rule inet watch out ip daddr 172.16.0.0/16 counter && "
                 "nft add rule inet watch out ip6 daddr fd00:20::/48 counter && "
                 "nft add rule inet watch out ip daddr 203.0.113.9 counter"));
    CHECK_FALSE(host.can("ping -c 1 -W 0.3 -q 172.16.0.5"));
    CHECK_FALSE(host.can("ping -c 1 -W 0.3 -q fd00:20::5"));
    CHECK_FALSE(host.can("ping -c 1 -W 0.3 -q 203.0.113.9"));  // nobody's, and so on its way
    CHECK(host.can("[ $(nft list chain inet watch out | grep -c 'packets 0 ') = 2 ]"));
  }
}

}  // namespace
}  // namespace holdfast::gateway

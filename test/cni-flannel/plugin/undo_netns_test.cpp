// An ADD that fails, at whatever step and for whatever reason, leaves nothing. Through the real program.
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// Why ADD cannot succeed, in the order of its steps, and what an administrator does about it.
struct Obstacle {
  const char* name;
  json options;  ///< merged into the configuration
  const char* put;
  const char* take_away;
  int code;
  const char* message;
};

const Obstacle kObstacles[] = {
    {"the folder of saved configurations cannot be made",
     {},
     "touch /var/lib/cni/flannel",
     "rm /var/lib/cni/flannel",
     5,
     "/var/lib/cni/flannel"},
    {"resolv.conf cannot be read",
     {{"ipam", {{"resolvConf", "/run/resolv.conf"}}}},
     "mkdir /run/resolv.conf",
     "rmdir /run/resolv.conf",
     5,
     "/run/resolv.conf"},
    {"resolv.conf is missing",
     {{"ipam", {{"resolvConf", "/run/resolv.conf"}}}},
     "true",
     "touch /run/resolv.conf",
     5,
     "ipam.resolvConf: /run/resolv.conf is missing"},
    {"the folder of address files cannot be made",
     {},
     "touch /var/lib/cni/networks",
     "rm /var/lib/cni/networks",
     113,
     "/var/lib/cni/networks"},
    {"the folder of bindings cannot be made",
     {},
     "touch /var/lib/cni/flannel-state",
     "rm /var/lib/cni/flannel-state",
     113,
     "/var/lib/cni/flannel-state"},
    {"the bridge's name is another kind of link's",
     {},
     "ip link add cni0 type veth peer name cni1",
     "ip link delete cni0",
     109,
     "\"cni0\" already exists but is not a bridge"},
    {"the bridge has another address",
     {},
     "ip link add cni0 type bridge && ip address add 10.244.9.1/24 dev cni0",
     "ip link delete cni0",
     106,
     "\"cni0\" already has an IP address different from 10.244.3.1/24"},
    {"router advertisements cannot be turned off",
     {},
     "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys",
     "umount /proc/sys",
     107,
     "/proc/sys/net/ipv6/conf/cni0/accept_ra"},
    {"forwarding cannot be turned on",
     {},
     "ip link add cni0 type bridge && sysctl -w net.ipv6.conf.cni0.accept_ra=0 net.ipv4.ip_forward=0 && "
     "mount --bind /proc/sys /proc/sys && "
     "mount -o remount,bind,ro /proc/sys",
     "umount /proc/sys",
     107,
     "/proc/sys/net/ipv4/ip_forward"},
    {"the host end's name is taken",
     {},
     "ip link add HOST_LINK type bridge",
     "ip link delete HOST_LINK",
     106,
     "HOST_LINK"},
    {"the pod has an interface of that name",
     {},
     "ip -n c1 link add eth0 type veth peer name other",
     "ip -n c1 link delete eth0",
     106,
     "eth0"},
    {"a route's gateway cannot be reached",
     {{"ipam", {{"routes", {{{"dst", "192.0.2.0/24"}, {"gw", "198.51.100.1"}}}}}}},
     "true",
     "true",
     113,
     "192.0.2.0/24"},
    {"iptables does not work",
     {{"delegate", {{"ipMasq", true}, {"ipMasqBackend", "iptables"}}}},
     "mount --bind /bin/false /usr/sbin/iptables",
     "umount /usr/sbin/iptables",
     113,
     "iptables"},
};

/// Every file below /var/lib/cni that stands for something that somebody holds.
std::set<std::string> files_that_hold() {
  std::set<std::string> files;
  for (const char* folder : {"networks", "flannel"}) {
    std::error_code error;
    for (fs::recursive_directory_iterator at(fs::path("/var/lib/cni") / folder, error), end;
         !error && at != end; at.increment(error)) {
      const std::string name = at->path().filename();
      if (at->is_regular_file() && name != "lock" && !name.starts_with("last_reserved_ip."))
        files.insert(name);
    }
  }
  return files;
}

std::string with_name(std::string text, const std::string& host_link) {
  const std::string mark = "HOST_LINK";
  if (const auto at = text.find(mark); at != std::string::npos) {
    text.replace(at, mark.size(), host_link);
  }
  return text;
}

json links_besides_the_bridge() {
  json names = json::array();
  for (const json& link : ip("link show")) {
    if (link.at("ifname") != "cni0") names.push_back(link.at("ifname"));
  }
  return names;
}

TEST_CASE_METHOD(PluginHost,
                 "an ADD that fails at any step leaves no link, address, file or rule, and no gap",
                 "[undo]") {
  for (const Obstacle& obstacle : kObstacles) {
    DYNAMIC_SECTION(obstacle.name) {
      const std::string host_link = "veth29668e6ee85";  // what "cbr0/c1/eth0" gives (names.h)
      const Sandbox pod = start_sandbox("c1");
      if (!obstacle.options.is_null()) conf.merge_patch(obstacle.options);
      output_of(with_name(obstacle.put, host_link));
      const json links = links_besides_the_bridge();
      const json inside = ip_in(pod, "link show");
      const std::string filter = rules();

      const json error = refused(call("ADD", pod));
      CHECK(error.at("code") == obstacle.code);
      CHECK_THAT(error.at("msg").get<std::string>(), Catch::Contains(with_name(obstacle.message, host_link)));
      CHECK(links_besides_the_bridge() == links);
      CHECK(ip_in(pod, "link show") == inside);
      CHECK(files_that_hold().empty());
      CHECK(rules() == filter);

      output_of(with_name(obstacle.take_away, host_link));
      conf = json::parse(R"({"cniVersion":"1.1.0","name":"cbr0","type":"flannel"})");
      const json result = add(pod);
      CHECK(addresses_of(result) == std::vector<std::string>{"10.244.3.2/24"});
      CHECK(host_link_of(result) == host_link);
      CHECK(output_of("sysctl -n net.ipv6.conf.cni0.accept_ra net.ipv4.ip_forward") == "0\n1\n");
    }
  }
}

/// A path given as CNI_NETNS that is none of a pod.
struct BadPath {
  const char* name;
  std::string path;
  const char* message;
};

TEST_CASE_METHOD(PluginHost, "a namespace that is none is code 8 and named, and nothing is made", "[undo]") {
  std::ofstream("/run/plain-file") << "not a namespace";
  const BadPath paths[] = {
      {"missing", "/run/netns/nobody", "/run/netns/nobody"},
      {"a regular file", "/run/plain-file", "'/run/plain-file' is not a network namespace"},
      {"a folder", "/run/netns", "'/run/netns' is not a network namespace"},
      {"a device", "/dev/null", "'/dev/null' is not a network namespace"},
      {"another kind of namespace", "/proc/self/ns/mnt", "'/proc/self/ns/mnt' is not a network namespace"},
      {"relative, and nothing is there", "netns/c1", "netns/c1"},
      {"the plugin's own", "/proc/self/ns/net", "the network namespace that the plugin itself runs in"},
      {"a link in a circle", "/run/circle", "/run/circle"},
      {"below a file", "/run/plain-file/c1", "/run/plain-file/c1"},
  };
  output_of("ln -s circle /run/circle");
  for (const BadPath& bad : paths) {
    DYNAMIC_SECTION(bad.name) {
      Sandbox pod = start_sandbox("c1");
      pod.netns = bad.path;
      const json error = refused(call("ADD", pod));
      CHECK(error.at("code") == 8);
      CHECK_THAT(error.at("msg").get<std::string>(), Catch::Contains(bad.message));
      CHECK(links_besides_the_bridge() == json{"lo"});
      CHECK(files_that_hold().empty());
      succeed(call("DEL", pod));
    }
  }
}

TEST_CASE_METHOD(PluginHost, "the node's own namespace is a pod's when CNI_NETNS_OVERRIDE says so",
                 "[undo]") {
  Sandbox pod = start_sandbox("c1");
  pod.netns = "/proc/self/ns/net";
  PluginCall overriding = call("ADD", pod);
  write_script("/run/overriding", "CNI_NETNS_OVERRIDE=1 exec " + overriding.binary.string() + "\n");
  overriding.binary = "/run/overriding";
  add(overriding);
  CHECK(addresses_on_host("eth0") == std::vector<std::string>{"10.244.3.2/24"});
}

/// GC with an empty list in the midst of an ADD, which the specification forbids: at the first call of
/// iptables, and at that only, for GC calls iptables itself.
void collect_during_add(const PluginCall& gc) {
  std::ofstream("/run/gc-input") << gc.config;
  write_script("/run/iptables", "mkdir /run/gc-has-run || exit 0\nCNI_COMMAND=GC CNI_PATH=/none " +
                                    gc.binary.string() + " < /run/gc-input > /run/gc-output\n");
  output_of("mount --bind /run/iptables /usr/sbin/iptables");
}

TEST_CASE_METHOD(PluginHost, "an ADD that a GC came into fails, and is to be tried again", "[undo]") {
  conf["delegate"]["ipMasq"] = true;
  conf["delegate"]["ipMasqBackend"] = "iptables";
  collect_during_add(gc_call({}));
  const Sandbox pod = start_sandbox("c1");
  const json error = refused(call("ADD", pod));
  CHECK(error.at("code") == 11);
  CHECK_THAT(error.at("msg").get<std::string>(),
             Catch::Contains("the addresses of c1 eth0 were freed during ADD"));
  CHECK(files_that_hold().empty());
  CHECK(links_besides_the_bridge() == json{"lo"});
  CHECK(std::filesystem::file_size("/run/gc-output") == 0);
  output_of("umount /usr/sbin/iptables");
  CHECK(addresses_of(add(pod)) == std::vector<std::string>{"10.244.3.2/24"});
}

TEST_CASE_METHOD(PluginHost, "an interface name that the kernel would not take is code 4 and named",
                 "[undo]") {
  for (const std::string name : {"sixteen-bytes-xx", "a/b", "a:b", "a b", ".", ".."}) {
    DYNAMIC_SECTION("'" << name << "'") {
      PluginCall add = call("ADD", start_sandbox("c1"));
      add.ifname = name;
      const json error = refused(add);
      CHECK(error.at("code") == 4);
      CHECK_THAT(error.at("msg").get<std::string>(), Catch::Contains("'" + name + "'"));
      CHECK(ip("link show").size() == 1);
      CHECK(files_that_hold().empty());
    }
  }
}

TEST_CASE_METHOD(PluginHost, "an interface name of fifteen bytes is taken", "[undo]") {
  const Sandbox pod = start_sandbox("c1");
  PluginCall fifteen = call("ADD", pod);
  fifteen.ifname = "fifteen-bytes-x";
  add(fifteen);
  CHECK(mac_in(pod, "fifteen-bytes-x") == "0a:58:0a:f4:03:02");
}

TEST_CASE_METHOD(PluginHost, "an ADD whose result nobody can read leaves nothing", "[undo]") {
  const Sandbox pod = start_sandbox("c1");
  const PluginCall made = call("ADD", pod);
  std::ofstream("/run/conf.json") << made.config;
  std::string command = "env -i";
  for (const std::string& variable : environment_of(made)) command += " '" + variable + "'";
  command +=
      " " + made.binary.string() + " </run/conf.json >/dev/full 2>/run/errors; echo $?; cat /run/errors";
  CHECK_THAT(output_of(command), Catch::StartsWith("1\n") && Catch::Contains("No space left on device"));
  CHECK(holdings().empty());
  add(pod);
}

}  // namespace
}  // namespace holdfast::test

// What flannel-controller costs in a cluster of 5,000 nodes that run flanneld, where nothing is to be
// written: memory, a look at all of them and their objects, and what their kubelets' heartbeats take; then
// how soon a node that joins has its pod CIDRs, and 250 that join together. ./run bench controller
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>

#include "test/kube_server/api_server_thread.h"
#include "test/kube_server/manifest_kinds.h"

namespace {

using namespace std::chrono_literals;
using holdfast::test::ApiServer;
using holdfast::test::ApiServerThread;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr unsigned kNodes = 5000;
constexpr unsigned kJoining = 250;    // at once, when these are there
constexpr unsigned kImages = 50;      // kubelet tells as many
constexpr unsigned kHeartbeats = 17;  // a second: each kubelet tells its state every five minutes
constexpr unsigned kHeartbeatSeconds = 20;
constexpr double kMostPassMs = 1000;
constexpr double kMostRssMib = 48;
constexpr auto kPatience = 180s;

const std::string kNodePath = "/api/v1/nodes/";
const std::string kObjectPath = "/apis/net.holdfast.dev/v1alpha1/nodenetworkconfigurations/";

std::string name_of(unsigned number) { return "edge-node-" + std::to_string(number); }

// `number` in the last twelve digits of what is else the same.
std::string uuid_of(unsigned number) {
  char text[37];
  std::snprintf(text, sizeof text, "4f1c2d9e-7b53-4e0a-9c61-%012u", number);
  return text;
}

std::string mac_of(unsigned number) {
  char text[18];
  std::snprintf(text, sizeof text, "02:00:00:00:%02x:%02x", number / 256, number % 256);
  return text;
}

std::string address_of(unsigned number) {
  return "172.16." + std::to_string(number / 250) + "." + std::to_string(number % 250 + 1);
}

std::string cidr_of(unsigned number) {
  return "10." + std::to_string(number / 256) + "." + std::to_string(number % 256) + ".0/24";
}

// What kubelet, a cloud's controller and an edge cluster's write there.
json labels_of(const std::string& name) {
  json out{{"alibabacloud.com/is-edge-worker", "true"},
           {"alibabacloud.com/nodepool-id", "np0123456789abcdef0123456789abcdef"},
           {"apps.openyurt.io/desired-nodepool", "shops"},
           {"apps.openyurt.io/nodepool", "shops"},
           {"beta.kubernetes.io/arch", "amd64"},
           {"beta.kubernetes.io/instance-type", "edge.large"},
           {"beta.kubernetes.io/os", "linux"},
           {"failure-domain.beta.kubernetes.io/region", "cn-hangzhou"},
           {"failure-domain.beta.kubernetes.io/zone", "cn-hangzhou-h"},
           {"kubernetes.io/arch", "amd64"},
           {"kubernetes.io/hostname", name},
           {"kubernetes.io/os", "linux"},
           {"node.kubernetes.io/instance-type", "edge.large"},
           {"node.csi.holdfast.dev/site", "shop-12"},
           {"openyurt.io/is-edge-worker", "true"},
           {"topology.kubernetes.io/region", "cn-hangzhou"},
           {"topology.kubernetes.io/zone", "cn-hangzhou-h"}};
  for (const char* team : {"sales", "stock", "cameras"}) out[std::string("example.com/team-") + team] = "yes";
  return out;
}

// As flanneld and others leave them.
json annotations_of(unsigned number) {
  return {{"csi.volume.kubernetes.io/nodeid", R"({"local.csi.holdfast.dev":")" + name_of(number) + R"("})"},
          {"flannel.alpha.coreos.com/backend-data", R"({"VNI":1,"VtepMAC":")" + mac_of(number) + R"("})"},
          {"flannel.alpha.coreos.com/backend-type", "vxlan"},
          {"flannel.alpha.coreos.com/kube-subnet-manager", "true"},
          {"flannel.alpha.coreos.com/public-ip", address_of(number)},
          {"kubeadm.alpha.kubernetes.io/cri-socket", "unix:///run/containerd/containerd.sock"},
          {"node.alpha.kubernetes.io/ttl", "15"},
          {"volumes.kubernetes.io/controller-managed-attach-detach", "true"}};
}

// As large as a Node is that has just registered.
json new_node(unsigned number) {
  json images = json::array();
  for (unsigned i = 0; i < kImages; ++i) {
    images.push_back({{"names", json::array({"registry.example/library/program-" + std::to_string(i) +
                                             "@sha256:" + std::string(64, 'f')})},
                      {"sizeBytes", 52428800 + i}});
  }
  return {{"metadata", {{"labels", labels_of(name_of(number))}}},
          {"spec", json::object()},
          {"status",
           {{"images", images},
            {"nodeInfo", {{"bootID", uuid_of(number)}}},
            {"addresses", {{{"type", "InternalIP"}, {"address", address_of(number)}}}}}}};
}

json node(unsigned number) {
  json out = new_node(number);
  out["metadata"]["annotations"] = annotations_of(number);
  out["spec"] = {{"podCIDR", cidr_of(number)}, {"podCIDRs", json::array({cidr_of(number)})}};
  return out;
}

json condition(const char* type) {
  return {{"type", type},
          {"status", "True"},
          {"reason", "AsWanted"},
          {"message", ""},
          {"lastTransitionTime", "2026-11-22T10:00:00Z"}};
}

// What flanneld and the controller have made of it.
json object(unsigned number, const json& node_uid) {
  const json cidrs = json::array({cidr_of(number)});
  return {{"apiVersion", "net.holdfast.dev/v1alpha1"},
          {"kind", "NodeNetworkConfiguration"},
          {"metadata", {{"annotations", {{"net.holdfast.dev/node-uid", node_uid}}}}},
          {"spec",
           {{"flannel",
             {{"subnetKubeManaged", true},
              {"backendType", "vxlan"},
              {"backendData", {{"VNI", 1}, {"VtepMAC", mac_of(number)}}},
              {"publicIP", address_of(number)},
              {"podCidr", cidrs.at(0)},
              {"podCIDRs", cidrs},
              {"leaseEpoch", 1}}}}},
          {"status",
           {{"conditions", json::array({condition("Ready"), condition("OverlayUp")})},
            {"cluster", {{"podCIDRs", cidrs}, {"conditions", json::array()}}}}}};
}

void fill(ApiServer& api) {
  holdfast::test::define_kind(api, HOLDFAST_MANIFESTS "/base/flannel/nodenetworkconfigurations.yaml");
  api.put("/api/v1/namespaces/kube-flannel", {{"metadata", json::object()}});
  for (unsigned number = 0; number < kNodes; ++number) {
    const auto kept = api.put(kNodePath + name_of(number), node(number));
    api.put(kObjectPath + name_of(number), object(number, (*kept)["metadata"]["uid"]));
  }
}

bool has_cidr(ApiServer& server, unsigned number) {
  const auto found = server.find(kNodePath + name_of(number));
  return found && (*found)["spec"].contains("podCIDR");
}

/// The program that is shipped. Ends with the object.
class Controller {
 public:
  Controller(const std::string& url, const std::filesystem::path& folder) {
    std::ofstream(folder / "kubeconfig")
        << json{{"apiVersion", "v1"},
                {"kind", "Config"},
                {"current-context", "bench"},
                {"contexts", {{{"name", "bench"}, {"context", {{"cluster", "bench"}, {"user", "bench"}}}}}},
                {"users", {{{"name", "bench"}, {"user", json::object()}}}},
                {"clusters", {{{"name", "bench"}, {"cluster", {{"server", url}}}}}}};
    const char* const bin = ::getenv("HOLDFAST_BIN");
    const std::string program = std::string(bin == nullptr ? "build/bin" : bin) + "/flannel-controller";
    const std::string kubeconfig = "--kubeconfig=" + (folder / "kubeconfig").string();
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::execl(program.c_str(), program.c_str(), kubeconfig.c_str(), "--namespace=kube-flannel",
            "--cluster-cidr=10.0.0.0/10", "--log-level=error", "--healthz=127.0.0.1:11267", nullptr);
    ::_exit(127);
  }
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;
  ~Controller() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  /// Of /proc/PID/status, in KiB; 0 when it is gone.
  [[nodiscard]] double kib(const std::string& field) const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    std::string word;
    double value = 0;
    while (status >> word) {
      if (word == field + ":" && status >> value) return value;
    }
    return 0;
  }

  /// That it has used so far, of one core.
  [[nodiscard]] double cpu_seconds() const {
    std::ifstream stat("/proc/" + std::to_string(pid_) + "/stat");
    std::string text;
    std::getline(stat, text);
    std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 1)));
    std::string skipped;
    for (int i = 3; i < 14; ++i) fields >> skipped;  // proc(5): utime and stime are the 14th and 15th
    double user = 0;
    double system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }

 private:
  pid_t pid_ = -1;
};

// Of the controller's own page; -1 when it is not there.
double figure(const std::string& metric) {
  const std::unique_ptr<FILE, int (*)(FILE*)> page(
      ::popen("curl -sf --max-time 5 http://127.0.0.1:11267/metrics", "r"), ::pclose);
  std::string text;
  char bytes[4096];
  while (const std::size_t size = std::fread(bytes, 1, sizeof bytes, page.get())) text.append(bytes, size);
  const std::string name = "\n" + metric + " ";
  const std::size_t at = text.find(name);
  return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size()));
}

template <class Done>
double seconds_until(const char* what, Done done) {
  const auto begin = Clock::now();
  while (!done()) {
    if (Clock::now() - begin > kPatience) throw std::runtime_error(std::string("not in time: ") + what);
    std::this_thread::sleep_for(10ms);
  }
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double join(ApiServerThread& server, unsigned begin, unsigned end) {
  server.with([&](ApiServer& api) {
    for (unsigned number = begin; number < end; ++number) {
      api.put(kNodePath + name_of(number), new_node(number));
    }
  });
  // each is asked for until it has one, and no more: the server has other work
  unsigned next = begin;
  return seconds_until("pod CIDRs for nodes that join", [&] {
    return server.with([&](ApiServer& api) {
      while (next != end && has_cidr(api, next)) ++next;
      return next == end;
    });
  });
}

// Kubelets tell that they are there, and nothing else. Of one core, in hundredths.
double heartbeats(ApiServerThread& server, const Controller& controller) {
  const double before = controller.cpu_seconds();
  unsigned number = 0;
  const auto begin = Clock::now();
  for (unsigned second = 0; second < kHeartbeatSeconds; ++second) {
    for (unsigned i = 0; i < kHeartbeats; ++i, ++number) {
      std::this_thread::sleep_until(begin + std::chrono::seconds(second) + i * 1000ms / kHeartbeats);
      const json told{{"status", {{"conditions", {{{"type", "Ready"}, {"lastHeartbeatTime", number}}}}}}};
      server.with([&](ApiServer& api) { api.put(kNodePath + name_of(number % kNodes), told); });
    }
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return (controller.cpu_seconds() - before) / seconds * 100;
}

std::size_t writes_of(ApiServer& server) {
  std::size_t out = 0;
  for (const holdfast::test::AskedCall& each : server.asked_by("flannel-controller")) {
    // the right to make what an apply makes is no request of its own
    const bool is_post = each.verb == "create" && each.name.empty();
    if (each.resource != "leases" && (each.verb == "patch" || is_post)) ++out;
  }
  return out;
}

json measure() {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "bench-controller";
  std::filesystem::create_directories(folder);
  ApiServerThread server;
  server.with(fill);
  const Controller controller(server.url(), folder);
  const double ready =
      seconds_until("the first look", [] { return figure("holdfast_flannel_pass_seconds") > 0; });
  std::this_thread::sleep_for(3s);
  json out{{"bench", "controller"},
           {"nodes", kNodes},
           {"ready_s", ready},
           {"writes", server.with(writes_of)},
           {"rss_mib", controller.kib("VmRSS") / 1024},
           {"rss_anon_mib", controller.kib("RssAnon") / 1024}};
  out["heartbeat_cpu_percent"] = heartbeats(server, controller);
  out["pass_ms"] = figure("holdfast_flannel_pass_seconds") * 1000;
  out["bar_pass_ms"] = kMostPassMs;
  out["join_ms"] = join(server, kNodes, kNodes + 1) * 1000;
  out["join_250_s"] = join(server, kNodes + 1, kNodes + 1 + kJoining);
  out["rss_most_mib"] = controller.kib("VmHWM") / 1024;
  out["bar_rss_mib"] = kMostRssMib;
  return out;
}

}  // namespace

// --gate: exit status 1 also when a bar is missed, or the controller wrote where all was right.
int main(int count, char** arguments) {
  try {
    const json figures = measure();
    std::cout << figures.dump() << std::endl;
    const bool met = figures["pass_ms"] > 0 && figures["pass_ms"] <= kMostPassMs && figures["writes"] == 0 &&
                     figures["rss_most_mib"] <= kMostRssMib && figures["rss_most_mib"] > 0;
    const bool gate = count > 1 && std::string(arguments[1]) == "--gate";
    return gate && !met ? 1 : 0;
  } catch (const std::exception& error) {
    std::cerr << "bench_controller: " << error.what() << "\n";
    return 1;
  }
}

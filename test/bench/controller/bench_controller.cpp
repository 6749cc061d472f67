// What flannel-controller costs in a cluster of 5,000 nodes: memory, a look at all of them, and how soon a
// node that joins has its pod CIDRs. ./run bench controller
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
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
constexpr unsigned kImages = 50;  // kubelet tells as many
constexpr double kMostPassMs = 1000;
constexpr double kMostRssMib = 48;
constexpr auto kPatience = 180s;

std::string name_of(unsigned number) { return "edge-node-" + std::to_string(number); }

// As large as a Node is.
json node() {
  json images = json::array();
  for (unsigned i = 0; i < kImages; ++i) {
    images.push_back({{"names", json::array({"registry.example/library/program-" + std::to_string(i) +
                                             "@sha256:" + std::string(64, 'f')})},
                      {"sizeBytes", 52428800 + i}});
  }
  return {{"metadata", {{"labels", {{"apps.openyurt.io/nodepool", "shops"}}}}},
          {"spec", json::object()},
          {"status", {{"images", images}}}};
}

bool has_cidr(ApiServer& server, const std::string& name) {
  const auto found = server.find("/api/v1/nodes/" + name);
  return found && (*found)["spec"].contains("podCIDR");
}

bool all_have_cidrs(ApiServer& server) {
  for (unsigned number = 0; number < kNodes; ++number) {
    if (!has_cidr(server, name_of(number))) return false;
  }
  return true;
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

 private:
  pid_t pid_ = -1;
};

// Of the controller's own page.
double pass_ms() {
  const std::unique_ptr<FILE, int (*)(FILE*)> page(
      ::popen("curl -sf --max-time 5 http://127.0.0.1:11267/metrics", "r"), ::pclose);
  std::string text;
  char bytes[4096];
  while (const std::size_t size = std::fread(bytes, 1, sizeof bytes, page.get())) text.append(bytes, size);
  const std::string name = "\nholdfast_flannel_pass_seconds ";
  const std::size_t at = text.find(name);
  return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size())) * 1000;
}

template <class Done>
double seconds_until(ApiServerThread& server, Done done) {
  const auto begin = Clock::now();
  while (!server.with(done)) {
    if (Clock::now() - begin > kPatience) throw std::runtime_error("the controller did not come to an end");
    std::this_thread::sleep_for(10ms);
  }
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

json measure() {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "bench-controller";
  std::filesystem::create_directories(folder);
  ApiServerThread server;
  server.with([](ApiServer& api) {
    holdfast::test::define_kind(api, HOLDFAST_MANIFESTS "/base/flannel/nodenetworkconfigurations.yaml");
    api.put("/api/v1/namespaces/kube-flannel", {{"metadata", json::object()}});
    for (unsigned number = 0; number < kNodes; ++number) api.put("/api/v1/nodes/" + name_of(number), node());
  });
  const Controller controller(server.url(), folder);
  const double all = seconds_until(server, all_have_cidrs);
  std::this_thread::sleep_for(1s);
  const double pass = pass_ms();
  server.with([](ApiServer& api) { api.put("/api/v1/nodes/new", node()); });
  const double join = seconds_until(server, [](ApiServer& api) { return has_cidr(api, "new"); });
  return {{"bench", "controller"},
          {"nodes", kNodes},
          {"all_given_s", all},
          {"pass_ms", pass},
          {"bar_pass_ms", kMostPassMs},
          {"join_ms", join * 1000},
          {"rss_mib", controller.kib("VmRSS") / 1024},
          {"rss_most_mib", controller.kib("VmHWM") / 1024},
          {"rss_anon_mib", controller.kib("RssAnon") / 1024},
          {"bar_rss_mib", kMostRssMib}};
}

}  // namespace

// --gate: exit status 1 also when a bar is missed.
int main(int count, char** arguments) {
  try {
    const json figures = measure();
    std::cout << figures.dump() << std::endl;
    const bool met = figures["pass_ms"] >= 0 && figures["pass_ms"] <= kMostPassMs &&
                     figures["rss_most_mib"] <= kMostRssMib && figures["rss_most_mib"] > 0;
    const bool gate = count > 1 && std::string(arguments[1]) == "--gate";
    return gate && !met ? 1 : 0;
  } catch (const std::exception& error) {
    std::cerr << "bench_controller: " << error.what() << "\n";
    return 1;
  }
}

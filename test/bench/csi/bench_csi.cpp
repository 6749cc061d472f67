// What a node pays for three drivers in one process, without the drivers themselves: sockets, registration,
// health pages and gRPC. The server is this program again, as a child; memory and threads are read from
// outside.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <string>
#include <thread>
#include <vector>

#include "common/csi/proto/csi.grpc.pb.h"
#include "common/csi/proto/pluginregistration.grpc.pb.h"
#include "common/csi/server.h"
#include "common/http/patient_page_server.h"

namespace holdfast::csi {
namespace {

namespace fs = std::filesystem;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr std::array kDrivers{"localplugin.csi.alibabacloud.com", "nasplugin.csi.alibabacloud.com",
                              "diskplugin.csi.alibabacloud.com"};
constexpr int kCalls = 1000;
constexpr std::uint16_t kPagesPort = 11260;
constexpr std::chrono::seconds kIdle{5};

struct Node final : NodeDriver {
  Status capabilities(const Call& /*call*/, const v1::NodeGetCapabilitiesRequest& /*request*/,
                      v1::NodeGetCapabilitiesResponse& /*response*/) override {
    return {};
  }
  Status info(const Call& /*call*/, const v1::NodeGetInfoRequest& /*request*/,
              v1::NodeGetInfoResponse& response) override {
    response.set_node_id("node-1");
    return {};
  }
};

ServedDriver served(const fs::path& kubelet, const std::string& name, Node& node) {
  ServedDriver out;
  out.profile = known_profile(name).value();
  out.socket = csi_socket(kubelet, out.profile);
  out.registration_socket = registration_socket(kubelet, out.profile);
  out.endpoint = out.socket;
  out.probe = [] { return Result<bool>(true); };
  out.node = &node;
  return out;
}

Status serve(const fs::path& kubelet) {
  SystemClock clock;
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(clock));
  HOLDFAST_TRY(const EventLoop::Signals signals,
               loop->on_signals({SIGTERM}, [&](int /*number*/) { loop->stop(); }));
  PosixFiles files;
  FdLogger log(LogLevel::kInfo, clock);
  Metrics metrics;
  Node node;
  std::array<VolumeHolds, kDrivers.size()> holds;
  std::vector<std::unique_ptr<DriverServer>> servers;
  std::vector<ProbedDriver> probed;
  for (std::size_t i = 0; i < kDrivers.size(); ++i) {
    ServedDriver driver = served(kubelet, kDrivers.at(i), node);
    probed.push_back({driver.profile.driver_name, driver.probe});
    HOLDFAST_TRY(std::unique_ptr<DriverServer> server,
                 DriverServer::start({*loop, files, log, metrics, clock, holds.at(i)}, std::move(driver)));
    servers.push_back(std::move(server));
  }
  http::PatientPageServer pages(
      *loop, {IpAddress::v4({127, 0, 0, 1}), kPagesPort},
      [&](const http::RequestHead& head) { return health_page(head, probed, metrics); }, log, "none");
  pages.start();
  HOLDFAST_CHECK(loop->run());
  for (const std::unique_ptr<DriverServer>& server : servers) HOLDFAST_CHECK(server->stop(kIdle));
  return {};
}

std::shared_ptr<grpc::Channel> channel_to(const fs::path& path) {
  return grpc::CreateChannel("unix:" + path.native(), grpc::InsecureChannelCredentials());
}

/// Registers the driver as kubelet does, and returns the durations of calls to it.
std::vector<double> use(const ServedDriver& driver) {
  using Registration = pluginregistration::Registration;
  const auto registration = Registration::NewStub(channel_to(*driver.registration_socket));
  const auto node = v1::Node::NewStub(channel_to(driver.socket));
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  pluginregistration::PluginInfo info;
  if (!registration->GetInfo(&context, {}, &info).ok()) std::abort();
  std::vector<double> out;
  for (int i = 0; i < kCalls; ++i) {
    grpc::ClientContext each;
    v1::NodeGetInfoResponse response;
    const auto begin = std::chrono::steady_clock::now();
    if (!node->NodeGetInfo(&each, {}, &response).ok()) std::abort();
    out.push_back(Milliseconds(std::chrono::steady_clock::now() - begin).count());
  }
  return out;
}

/// A number of /proc/PID/status.
long status_number(pid_t process, const std::string& key) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return std::stol(line.substr(key.size() + 1));
  }
  return -1;
}

int measure(const char* program) {
  const fs::path kubelet = fs::temp_directory_path() / ("bench_csi." + std::to_string(::getpid()));
  fs::create_directories(kubelet / "plugins_registry");
  std::string kubelet_text = kubelet.native();
  std::array<char*, 3> argv{const_cast<char*>(program), kubelet_text.data(), nullptr};
  const auto begin = std::chrono::steady_clock::now();
  pid_t server = 0;
  if (::posix_spawn(&server, "/proc/self/exe", nullptr, nullptr, argv.data(), environ) != 0) return 1;
  Node node;
  std::vector<double> calls;
  double registered_ms = 0;
  for (const char* name : kDrivers) {
    const ServedDriver driver = served(kubelet, name, node);
    while (!fs::exists(*driver.registration_socket))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (registered_ms == 0) registered_ms = Milliseconds(std::chrono::steady_clock::now() - begin).count();
    for (const double ms : use(driver)) calls.push_back(ms);
  }
  std::this_thread::sleep_for(kIdle);
  std::ranges::sort(calls);
  std::printf(
      "{\"drivers\": %zu, \"idle_rss_kib\": %ld, \"idle_anonymous_kib\": %ld, \"idle_threads\": %ld, "
      "\"program_kib\": %ju, \"first_socket_ms\": %.1f, \"call_p50_ms\": %.3f, \"call_p99_ms\": %.3f}\n",
      kDrivers.size(), status_number(server, "VmRSS"), status_number(server, "RssAnon"),
      status_number(server, "Threads"), fs::file_size("/proc/self/exe") / 1024, registered_ms,
      calls.at(calls.size() / 2), calls.at(calls.size() * 99 / 100));
  ::kill(server, SIGTERM);
  int status = 0;
  ::waitpid(server, &status, 0);
  fs::remove_all(kubelet);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace
}  // namespace holdfast::csi

int main(int argc, char** argv) {
  if (argc < 2) return holdfast::csi::measure(*argv);
  const holdfast::Status done = holdfast::csi::serve(argv[1]);
  if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return done ? 0 : 1;
}

// What GetCapacity costs its caller on this machine: the driver's controller behind its socket, on a node
// with many volumes whose LVM is in memory, beside a call that does nothing. Prints one JSON object.
#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>

#include "common/csi/proto/csi.grpc.pb.h"
#include "common/csi/server.h"
#include "csi-lvm/driver/lvm_controller.h"
#include "csi-lvm/volumes/block_cleaner.h"
#include "test/bench/cni/figures.h"
#include "test/csi-lvm/lvm/fake_lvm.h"

namespace holdfast::lvm {
namespace {

namespace fs = std::filesystem;
namespace v1 = ::csi::v1;
using bench::Figures;
using std::chrono::steady_clock;

constexpr int kVolumes = 200;
constexpr int kUnmeasured = 200;
constexpr int kCalls = 5000;
constexpr std::uint64_t kExtentBytes = 4 << 20;
constexpr std::uint64_t kExtentsOfDisk = 100000;
constexpr Lvm::Patience kPatience{1000};
constexpr const char* kGroup = "vg";

/// A node of many volumes, as the driver knows it after its start.
struct Node {
  Status fill() {
    lvm.add_group(kGroup, {kExtentsOfDisk, kExtentsOfDisk});
    for (int number = 0; number < kVolumes; ++number) {
      NewVolume volume;
      volume.name = {kGroup, "pvc-" + std::to_string(number)};
      volume.size_bytes = kExtentBytes;
      volume.tags = {"csi.state=ready", "csi.fs=new"};
      HOLDFAST_CHECK(lvm.create(volume, kPatience));
    }
    return volumes.recover(kPatience);
  }

  SystemClock clock;
  test::FakeLvm lvm;
  CapacityBook book{PoolLimits{}, {}};
  BlockCleaner cleaner{clock};
  BlockCopier copier{clock};
  LocalVolumes volumes{lvm, book, cleaner, copier, clock, ""};
  LvmController controller{volumes, book, "kubernetes.io/hostname", "edge-1"};
};

using Calls = std::function<grpc::Status(grpc::ClientContext& context)>;

Figures times_of(const Calls& call) {
  Figures figures;
  for (int number = 0; number < kUnmeasured + kCalls; ++number) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    const auto begin = steady_clock::now();
    const grpc::Status done = call(context);
    if (!done.ok()) {
      std::fprintf(stderr, "capacity_calls: %s\n", done.error_message().c_str());
      std::abort();
    }
    if (number >= kUnmeasured) figures.add(steady_clock::now() - begin);
  }
  return figures;
}

nlohmann::json measure(const fs::path& socket) {
  const auto channel = grpc::CreateChannel("unix:" + socket.native(), grpc::InsecureChannelCredentials());
  const auto controller = v1::Controller::NewStub(channel);
  const auto identity = v1::Identity::NewStub(channel);
  v1::GetCapacityRequest request;
  (*request.mutable_parameters())["vgName"] = kGroup;
  const Figures capacity = times_of([&](grpc::ClientContext& context) {
    v1::GetCapacityResponse response;
    return controller->GetCapacity(&context, request, &response);
  });
  const Figures nothing = times_of([&](grpc::ClientContext& context) {
    v1::GetPluginInfoResponse response;
    return identity->GetPluginInfo(&context, {}, &response);
  });
  return {{"volumes", kVolumes}, {"capacity_ms", capacity.to_json()}, {"nothing_ms", nothing.to_json()}};
}

csi::ServedDriver served(Node& node, const fs::path& folder) {
  csi::ServedDriver out;
  out.profile = csi::known_profile("localplugin.csi.alibabacloud.com").value();
  out.socket = folder / "csi.sock";
  out.endpoint = out.socket;
  out.probe = [] { return Result<bool>(true); };
  out.controller = &node.controller;
  return out;
}

Result<nlohmann::json> run(const fs::path& folder) {
  Node node;
  HOLDFAST_CHECK(node.fill());
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(node.clock));
  PosixFiles files;
  FdLogger log(LogLevel::kWarning, node.clock);
  Metrics metrics;
  csi::VolumeHolds holds;
  const csi::ServedDriver driver = served(node, folder);
  HOLDFAST_TRY(const std::unique_ptr<csi::DriverServer> server,
               csi::DriverServer::start({*loop, files, log, metrics, node.clock, holds}, driver));
  nlohmann::json figures;
  std::thread client([&] {
    figures = measure(driver.socket);
    loop->post([&loop] { loop->stop(); });
  });
  const Status turned = loop->run();
  client.join();
  HOLDFAST_CHECK(turned);
  HOLDFAST_CHECK(server->stop(kPatience));
  return figures;
}

}  // namespace
}  // namespace holdfast::lvm

int main() {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("capacity_calls." + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const auto figures = holdfast::lvm::run(folder);
  std::filesystem::remove_all(folder);
  if (!figures) {
    std::fprintf(stderr, "capacity_calls: %s\n", figures.error().message.c_str());
    return 1;
  }
  std::cout << *figures << '\n';
  return 0;
}

// The controller of cloud disks over the API of a cloud: whole cycles of volumes at once, what they cost in
// calls, and the memory that it takes to list many disks. The cloud is disk-sim's service in a process of its
// own; its disks have no content, so no node stages them.

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "common/csi/proto/csi.pb.h"
#include "csi-disk/backend/alibaba_disks.h"
#include "csi-disk/backend/patient_disks.h"
#include "csi-disk/controller/disk_controller.h"
#include "csi-disk/sim/disk_service.h"
#include "test/bench/cni/figures.h"
#include "test/cloud/sim_cloud.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::disk {
namespace {

constexpr int kCycles = 1000;
constexpr int kWorkers = 64;
constexpr int kManyDisks = 5000;
constexpr int kNodes = 64;
constexpr std::chrono::milliseconds kSettling{20};
constexpr Patience kPatient = std::chrono::seconds(60);

constexpr std::string_view kUsage =
    "Usage: disk_controller_calls\n"
    "1000 cycles of create, attach, detach and delete through a simulated cloud's API by 64 workers, calls "
    "per\n"
    "cycle by action, and the controller's memory once it has listed 5000 disks. One JSON line.\n";

std::string zone_label() { return "topology.diskplugin.csi.alibabacloud.com/zone"; }

/// The cloud, in a child that ends with us. Its address comes by the pipe.
std::string start_cloud() {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) std::terminate();
  if (::fork() == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    test::TemporaryFolder folder;
    SystemClock clock;
    DiskService service(clock, {.settling = kSettling});
    test::SimCloud cloud(service, folder / "state");
    const std::string url = cloud.url() + "\n";
    if (::write(ends[1], url.data(), url.size()) < 0) std::terminate();
    for (;;) ::pause();
  }
  ::close(ends[1]);
  std::string url;
  for (char c = 0; ::read(ends[0], &c, 1) == 1 && c != '\n';) url += c;
  ::close(ends[0]);
  return url;
}

std::uint64_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(sizeof "VmRSS:"));
  }
  return 0;
}

class PatientCall final : public csi::Call {
 public:
  [[nodiscard]] bool cancelled() const override { return false; }
  [[nodiscard]] std::chrono::nanoseconds time_left() const override { return kPatient; }
};

class Bench {
 public:
  explicit Bench(std::string url) : url_(std::move(url)) {
    nlohmann::json nodes;
    for (int i = 0; i < kNodes; ++i) nodes["i-" + std::to_string(i)] = {{"zone", "sim-1a"}, {"most", 64}};
    ask("POST", "/sim/nodes", nodes.dump());
    ask("POST", "/sim/quota", R"({"disks": 100000})");
  }

  nlohmann::json run() {
    const auto begun = clock_.since_boot();
    std::vector<std::jthread> workers;
    for (int i = 0; i < kWorkers; ++i) workers.emplace_back([this, i] { work(i); });
    workers.clear();
    const double seconds = std::chrono::duration<double>(clock_.since_boot() - begun).count();
    nlohmann::json out{{"cycles", kCycles},
                       {"workers", kWorkers},
                       {"settling_ms", kSettling.count()},
                       {"cycles_per_second", kCycles / seconds},
                       {"retries", retries_.load()},
                       {"calls_per_cycle", calls_per_cycle()}};
    for (auto& [name, figures] : figures_) out[name + "_ms"] = figures.to_json();
    list_many(out);
    return out;
  }

 private:
  std::string ask(const std::string& method, const std::string& path, std::string body = {}) {
    const auto answer = http_.exchange({.method = method, .url = url_ + path, .body = std::move(body)},
                                       std::chrono::seconds(30));
    if (!answer || answer->status != 200) throw std::runtime_error(path + " is refused");
    return answer->body;
  }

  nlohmann::json calls_per_cycle() {
    nlohmann::json calls = nlohmann::json::parse(ask("GET", "/sim/calls"));
    double all = 0;
    for (auto& [action, count] : calls.items()) {
      all += count.get<double>();
      count = count.get<double>() / kCycles;
    }
    calls["all"] = all / kCycles;
    return calls;
  }

  // As the sidecars do: asked again until it succeeds.
  void insist(const std::string& name, const std::function<Status()>& step) {
    const auto begun = clock_.since_boot();
    for (Status done = step(); !done; done = step()) {
      ++retries_;
      if (retries_ > kCycles) throw std::runtime_error(name + ": " + done.error().message);
    }
    const std::scoped_lock lock(mutex_);
    figures_[name].add(clock_.since_boot() - begun);
  }

  std::string create(const std::string& name) {
    csi::v1::CreateVolumeRequest request;
    request.set_name(name);
    request.mutable_capacity_range()->set_required_bytes(20 * kGiB);
    (*request.mutable_parameters())["type"] = "cloud_essd";
    auto& capability = *request.add_volume_capabilities();
    capability.mutable_mount();
    capability.mutable_access_mode()->set_mode(csi::v1::VolumeCapability::AccessMode::SINGLE_NODE_WRITER);
    (*request.mutable_accessibility_requirements()->add_preferred()->mutable_segments())[zone_label()] =
        "sim-1a";
    csi::v1::CreateVolumeResponse response;
    insist("create", [&] { return controller_.create_volume(call_, request, response); });
    return response.volume().volume_id();
  }

  void cycle(int worker) {
    const std::string id = create("pvc-" + std::to_string(next_++));
    csi::v1::ControllerPublishVolumeRequest publish;
    publish.set_volume_id(id);
    publish.set_node_id("i-" + std::to_string(worker % kNodes));
    csi::v1::ControllerPublishVolumeResponse published;
    insist("attach", [&] { return controller_.publish_volume(call_, publish, published); });
    if (published.publish_context().at("csi.fs") != "new") throw std::runtime_error(id + " is not new");
    csi::v1::ControllerUnpublishVolumeRequest unpublish;
    unpublish.set_volume_id(id);
    unpublish.set_node_id(publish.node_id());
    csi::v1::ControllerUnpublishVolumeResponse unpublished;
    insist("detach", [&] { return controller_.unpublish_volume(call_, unpublish, unpublished); });
    csi::v1::DeleteVolumeRequest remove;
    remove.set_volume_id(id);
    csi::v1::DeleteVolumeResponse removed;
    insist("delete", [&] { return controller_.delete_volume(call_, remove, removed); });
  }

  void work(int worker) {
    while (begun_++ < kCycles) cycle(worker);
  }

  void list_many(nlohmann::json& out) {
    std::vector<std::jthread> workers;
    std::atomic<int> left = kManyDisks;
    for (int i = 0; i < kWorkers; ++i) {
      workers.emplace_back([this, &left] {
        for (int number = left--; number > 0; number = left--) {
          const std::string name = "many-" + std::to_string(number);
          const DiskSpec spec{
              .name = name, .gib = 20, .performance = {.type = "cloud_essd"}, .tags = {{"k", name}}};
          static_cast<void>(patient_.create_disk(spec, name, kPatient));
        }
      });
    }
    workers.clear();
    const auto begun = clock_.since_boot();
    int listed = 0;
    std::size_t bytes = 0;
    csi::v1::ListVolumesRequest request;
    do {
      csi::v1::ListVolumesResponse page;
      const Status done = controller_.list_volumes(call_, request, page);
      if (!done) throw std::runtime_error(done.error().message);
      listed += page.entries_size();
      bytes += page.SerializeAsString().size();
      request.set_starting_token(page.next_token());
    } while (!request.starting_token().empty());
    out["listed"] = listed;
    out["listed_bytes"] = bytes;
    out["list_all_ms"] = std::chrono::duration<double, std::milli>(clock_.since_boot() - begun).count();
    out["rss_kib"] = resident_kib();
  }

  const std::string url_;
  SystemClock clock_;
  PatientCall call_;
  test::FixedCredentials credentials_;
  cloud::CurlClient http_{"bench"};
  cloud::AlibabaApi api_{
      http_, credentials_, clock_, {.url = url_, .version = std::string(AlibabaDisks::kVersion)}};
  AlibabaDisks alibaba_{api_, "sim-1"};
  PatientDisks patient_{alibaba_, clock_};
  DiskVolumes volumes_{patient_,
                       {.cloud = known_cloud("sim").value(),
                        .keys = {.place = zone_label()},
                        .handle_prefix = "d-",
                        .region = "sim-1",
                        .cluster = "bench"},
                       clock_};
  DiskController controller_{volumes_};
  std::atomic<int> begun_ = 0;
  std::atomic<int> next_ = 0;
  std::atomic<int> retries_ = 0;
  std::mutex mutex_;  // guards figures_
  std::map<std::string, bench::Figures> figures_;
};

}  // namespace
}  // namespace holdfast::disk

int main(int argc, char** /*argv*/) {
  if (argc > 1) {
    std::cout << holdfast::disk::kUsage;
    return 0;
  }
  try {
    holdfast::disk::Bench bench(holdfast::disk::start_cloud());
    std::cout << bench.run().dump() << '\n';
  } catch (const std::exception& error) {
    std::cerr << "disk_controller_calls: " << error.what() << '\n';
    return 1;
  }
  return 0;
}

// Calls csi-disk over its socket as kubelet and its helpers do, many at once, on a cloud that is disk-sim
// with disks that are devices of this machine. Prints one JSON object.
//
//     disk_volume_cycles cycles SOCKET FOLDER      whole lives of volumes
//     disk_volume_cycles stages SOCKET FOLDER URL  attach to staged, beside the same by the cloud's API and
//                                                  mount(2)

#include <sys/mount.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "common/base/clock.h"
#include "common/cloud/api.h"
#include "common/cloud/credentials.h"
#include "common/cloud/http_client.h"
#include "common/csi/proto/csi.grpc.pb.h"
#include "csi-disk/backend/alibaba_disks.h"
#include "test/bench/cni/figures.h"

namespace holdfast::disk {
namespace {

namespace fs = std::filesystem;
namespace v1 = ::csi::v1;
using std::chrono::steady_clock;

constexpr int kCycles = 1000;
constexpr int kWorkers = 64;
constexpr int kTogether = 16;  // disks that a node gets at once
constexpr int kRounds = 5;
constexpr int kMostRetries = 200;
constexpr std::chrono::seconds kPatience{60};
constexpr const char* kNode = "i-1";

/// The account of every disk-sim.
class SimAccount final : public cloud::CredentialSource {
 public:
  Result<cloud::Credentials> current() override {
    return cloud::Credentials{.id = "sim-id", .secret = "sim-secret"};
  }
  void doubt() override {}
};

/// Threads, of which the first that fails tells why.
class Crew {
 public:
  void add(std::function<void()> work) {
    threads_.emplace_back([this, work = std::move(work)] {
      try {
        work();
      } catch (const std::exception& error) {
        const std::scoped_lock lock(mutex_);
        if (failed_.empty()) failed_ = error.what();
      }
    });
  }
  void wait() {
    threads_.clear();
    if (!failed_.empty()) throw std::runtime_error(failed_);
  }

 private:
  std::mutex mutex_;  // guards failed_
  std::string failed_;
  std::vector<std::jthread> threads_;
};

class Caller {
 public:
  Caller(const std::string& socket, fs::path folder)
      : channel_(grpc::CreateChannel("unix://" + socket, grpc::InsecureChannelCredentials())),
        controller_(v1::Controller::NewStub(channel_)),
        node_(v1::Node::NewStub(channel_)),
        folder_(std::move(folder)) {}

  std::string create(const std::string& name) {
    v1::CreateVolumeRequest request;
    request.set_name(name);
    request.mutable_capacity_range()->set_required_bytes(std::int64_t{1} << 30);
    (*request.mutable_parameters())["type"] = "cloud_essd";
    (*request.mutable_parameters())["performanceLevel"] = "PL0";
    *request.add_volume_capabilities() = capability();
    v1::CreateVolumeResponse response;
    insist("create", [&](auto* call) { return controller_->CreateVolume(call, request, &response); });
    return response.volume().volume_id();
  }
  std::map<std::string, std::string> attach(const std::string& id) {
    v1::ControllerPublishVolumeRequest request;
    request.set_volume_id(id);
    request.set_node_id(kNode);
    *request.mutable_volume_capability() = capability();
    v1::ControllerPublishVolumeResponse response;
    insist("attach",
           [&](auto* call) { return controller_->ControllerPublishVolume(call, request, &response); });
    return {response.publish_context().begin(), response.publish_context().end()};
  }
  void stage(const std::string& id, const std::map<std::string, std::string>& context) {
    v1::NodeStageVolumeRequest request;
    request.set_volume_id(id);
    request.set_staging_target_path(staging(id));
    fs::create_directories(staging(id));
    *request.mutable_volume_capability() = capability();
    request.mutable_publish_context()->insert(context.begin(), context.end());
    v1::NodeStageVolumeResponse response;
    insist("stage", [&](auto* call) { return node_->NodeStageVolume(call, request, &response); });
  }
  void unstage(const std::string& id) {
    v1::NodeUnstageVolumeRequest request;
    request.set_volume_id(id);
    request.set_staging_target_path(staging(id));
    v1::NodeUnstageVolumeResponse response;
    insist("unstage", [&](auto* call) { return node_->NodeUnstageVolume(call, request, &response); });
  }
  void detach(const std::string& id) {
    v1::ControllerUnpublishVolumeRequest request;
    request.set_volume_id(id);
    request.set_node_id(kNode);
    v1::ControllerUnpublishVolumeResponse response;
    insist("detach",
           [&](auto* call) { return controller_->ControllerUnpublishVolume(call, request, &response); });
  }
  void remove(const std::string& id) {
    v1::DeleteVolumeRequest request;
    request.set_volume_id(id);
    v1::DeleteVolumeResponse response;
    insist("delete", [&](auto* call) { return controller_->DeleteVolume(call, request, &response); });
  }

  [[nodiscard]] std::string staging(const std::string& id) const { return folder_ / id / "globalmount"; }

  void tell(nlohmann::json& out) {
    for (const auto& [name, figures] : figures_) out[name + "_ms"] = figures.to_json();
    out["retries"] = retries_.load();
  }

 private:
  static v1::VolumeCapability capability() {
    v1::VolumeCapability out;
    out.mutable_mount()->set_fs_type("ext4");
    out.mutable_access_mode()->set_mode(v1::VolumeCapability::AccessMode::SINGLE_NODE_WRITER);
    return out;
  }

  // As callers of CSI do: asked again until it succeeds.
  void insist(const std::string& name, const std::function<grpc::Status(grpc::ClientContext*)>& call) {
    const auto begun = steady_clock::now();
    for (int n = 0;; ++n) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + kPatience);
      const grpc::Status done = call(&context);
      if (done.ok()) break;
      ++retries_;
      if (n == kMostRetries) throw std::runtime_error(name + ": " + done.error_message());
    }
    const std::scoped_lock lock(mutex_);
    figures_[name].add(steady_clock::now() - begun);
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Controller::Stub> controller_;
  std::unique_ptr<v1::Node::Stub> node_;
  fs::path folder_;
  std::atomic<int> retries_ = 0;
  std::mutex mutex_;  // guards figures_
  std::map<std::string, bench::Figures> figures_;
};

nlohmann::json run_cycles(Caller& caller) {
  std::atomic<int> next = 0;
  const auto begun = steady_clock::now();
  Crew crew;
  for (int i = 0; i < kWorkers; ++i) {
    crew.add([&] {
      for (int number = next++; number < kCycles; number = next++) {
        const std::string id = caller.create("pvc-" + std::to_string(number));
        caller.stage(id, caller.attach(id));
        caller.unstage(id);
        caller.detach(id);
        caller.remove(id);
      }
    });
  }
  crew.wait();
  const double seconds = std::chrono::duration<double>(steady_clock::now() - begun).count();
  nlohmann::json out{{"cycles", kCycles}, {"workers", kWorkers}, {"cycles_per_second", kCycles / seconds}};
  caller.tell(out);
  return out;
}

/// The same without a driver: the cloud's API, and mount(2) of the link that leads to the device.
class ByHand {
 public:
  ByHand(std::string url, const std::string& region) : url_(std::move(url)), disks_(api_, region) {}

  void attach(const std::string& id) {
    require(disks_.attach_disk(id, kNode, kPatience).has_value(), "AttachDisk");
    for (;;) {
      const auto now = disks_.disks({id}, kPatience);
      require(now && now->size() == 1, "DescribeDisks");
      if (now->front().state == DiskState::kInUse) break;
      clock_.sleep(std::chrono::milliseconds(1));
    }
    while (!fs::exists(link_of(id))) clock_.sleep(std::chrono::milliseconds(1));
  }
  void mount(const std::string& id, const std::string& target) {
    require(::mount(link_of(id).c_str(), target.c_str(), "ext4", 0, nullptr) == 0, "mount");
  }
  void leave(const std::string& id, const std::string& target) {
    require(::umount(target.c_str()) == 0, "umount");
    require(disks_.detach_disk(id, kNode, kPatience).has_value(), "DetachDisk");
    for (;;) {
      const auto now = disks_.disks({id}, kPatience);
      require(now && now->size() == 1, "DescribeDisks");
      if (now->front().nodes.empty()) return;
      clock_.sleep(std::chrono::milliseconds(1));
    }
  }
  void look_in(fs::path by_id) { by_id_ = std::move(by_id); }

 private:
  [[nodiscard]] fs::path link_of(const std::string& id) const { return by_id_ / ("virtio-" + id.substr(2)); }
  static void require(bool truth, const char* what) {
    if (!truth) throw std::runtime_error(std::string(what) + " fails");
  }

  const std::string url_;
  SystemClock clock_;
  SimAccount account_;
  cloud::CurlClient http_{"bench"};
  cloud::AlibabaApi api_{
      http_, account_, clock_, {.url = url_, .version = std::string(AlibabaDisks::kVersion)}};
  AlibabaDisks disks_;
  fs::path by_id_;
};

/// `work` of each id at once, and how long each took.
void together(const std::vector<std::string>& ids, bench::Figures& into,
              const std::function<void(const std::string&)>& work) {
  std::mutex mutex;  // guards into
  Crew crew;
  for (const std::string& id : ids) {
    crew.add([&, id] {
      const auto begun = steady_clock::now();
      work(id);
      const std::scoped_lock lock(mutex);
      into.add(steady_clock::now() - begun);
    });
  }
  crew.wait();
}

nlohmann::json run_stages(Caller& caller, ByHand& by_hand) {
  std::vector<std::string> ids;
  for (int i = 0; i < kTogether; ++i) ids.push_back(caller.create("staged-" + std::to_string(i)));
  bench::Figures unmeasured;
  std::mutex mutex;  // guards contexts
  std::map<std::string, std::map<std::string, std::string>> contexts;
  const auto attach = [&](const std::string& id) {
    auto context = caller.attach(id);
    const std::scoped_lock lock(mutex);
    contexts[id] = std::move(context);
  };
  const auto stage = [&](const std::string& id) { caller.stage(id, contexts.at(id)); };
  const auto leave = [&caller](const std::string& id) {
    caller.unstage(id);
    caller.detach(id);
  };
  together(ids, unmeasured, attach);
  together(ids, unmeasured, stage);  // which formats them
  together(ids, unmeasured, leave);
  std::map<std::string, bench::Figures> figures;
  for (int round = 0; round < kRounds; ++round) {
    together(ids, figures["attach_and_stage_ms"], [&](const std::string& id) {
      attach(id);
      stage(id);
    });
    together(ids, unmeasured, leave);
    together(ids, figures["api_attach_and_mount_ms"], [&](const std::string& id) {
      by_hand.attach(id);
      by_hand.mount(id, caller.staging(id));
    });
    together(ids, unmeasured, [&](const std::string& id) { by_hand.leave(id, caller.staging(id)); });
    together(ids, figures["attach_ms"], attach);
    for (const std::string& id : ids) together({id}, figures["stage_alone_ms"], stage);
    together(ids, unmeasured, leave);
  }
  nlohmann::json out{{"together", kTogether}, {"rounds", kRounds}};
  for (const auto& [name, each] : figures) out[name] = each.to_json();
  together(ids, unmeasured, [&caller](const std::string& id) { caller.remove(id); });
  return out;
}

}  // namespace
}  // namespace holdfast::disk

int main(int argc, char** argv) {
  using namespace holdfast::disk;  // NOLINT(google-build-using-namespace)
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    if (words.size() < 3) throw std::runtime_error("tell what, the socket and the folder");
    Caller caller(words[1], std::filesystem::path(words[2]) / "kubelet/staging");
    nlohmann::json out;
    if (words[0] == "cycles") {
      out = run_cycles(caller);
    } else {
      ByHand by_hand(words.at(3), "sim-1");
      by_hand.look_in(std::filesystem::path(words[2]) / "devices/by-id");
      out = run_stages(caller, by_hand);
    }
    std::cout << out.dump() << '\n';
  } catch (const std::exception& error) {
    std::cerr << "disk_volume_cycles: " << error.what() << '\n';
    return 1;
  }
  return 0;
}

#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <type_traits>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/metrics.h"
#include "common/kube/curl_http.h"
#include "common/kube/object_client.h"
#include "csi-nas/cluster/object_records.h"
#include "csi-nas/cluster/site_agent.h"
#include "csi-nas/cluster/site_tasks.h"
#include "csi-nas/controller/nas_volumes.h"
#include "test/csi-nas/controller/folder_shares.h"
#include "test/fakes/log_lines.h"
#include "test/fakes/temporary_folder.h"
#include "test/kube_server/api_server.h"

namespace holdfast::nas::test {

inline constexpr const char* kVolumesPath = "/apis/storage.holdfast.dev/v1alpha1/nasvolumes";
inline constexpr const char* kTasksPath = "/apis/storage.holdfast.dev/v1alpha1/nastasks";
inline constexpr const char* kControllerAgent = "csi-nas";
inline constexpr const char* kNodeAgent = "csi-nas-node";  // so that its requests are told apart

/// A way to the API server that can be cut: what is under way ends, and what comes fails. The loop's.
class CuttableHttp final : public kube::Http {
 public:
  CuttableHttp(EventLoop& loop, std::unique_ptr<kube::Http> way) : loop_(loop), way_(std::move(way)) {}
  [[nodiscard]] std::unique_ptr<kube::HttpExchange> start(kube::HttpRequest request,
                                                          kube::HttpCallbacks callbacks) override;
  void cut(bool is_cut);

  std::function<bool()> also_cut = [] { return false; };  ///< looked at before each request
  std::function<void(const kube::HttpRequest&)> started = [](const kube::HttpRequest&) {};

 private:
  class Exchange;
  EventLoop& loop_;
  std::unique_ptr<kube::Http> way_;
  bool cut_ = false;
  std::set<Exchange*> live_;
};

/// An API server that knows csi-nas's kinds, on a thread with an event loop, where all live that belong to
/// one; tests make blocking calls from theirs.
class SiteScene {
 public:
  SiteScene();
  SiteScene(const SiteScene&) = delete;
  SiteScene& operator=(const SiteScene&) = delete;
  ~SiteScene();

  /// Runs `work` on the loop's thread, and hands back what it returns. What it throws (a failed REQUIRE)
  /// comes out here.
  template <class Work>
  auto with(Work work) -> std::invoke_result_t<Work> {
    std::packaged_task<std::invoke_result_t<Work>()> task([&work] { return work(); });
    auto outcome = task.get_future();
    loop->post([&task] { task(); });
    return outcome.get();
  }
  /// Asks on the loop's thread until it is so.
  void wait_until(const std::function<bool()>& condition);

  /// Of the loop's thread, as all of these.
  [[nodiscard]] std::unique_ptr<kube::Http> another_way(const std::string& user_agent);
  [[nodiscard]] std::unique_ptr<kube::ObjectClient> client_of(kube::Http& way);
  [[nodiscard]] nlohmann::json at(const std::string& path);
  [[nodiscard]] std::vector<nlohmann::json> all(const std::string& path);

  SystemClock clock;
  PosixFiles files;
  Metrics metrics;
  holdfast::test::LogLines log;
  holdfast::test::TemporaryFolder folder;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  std::unique_ptr<holdfast::test::ApiServer> server = std::make_unique<holdfast::test::ApiServer>(*loop);

 private:
  std::uint64_t seed_ = 0;
  std::thread thread_;
};

/// The records of a controller.
struct SceneRecords {
  explicit SceneRecords(SiteScene& of, std::chrono::milliseconds patience = std::chrono::seconds(10));
  ~SceneRecords();
  SceneRecords(const SceneRecords&) = delete;
  SceneRecords& operator=(const SceneRecords&) = delete;
  ObjectRecords* operator->() { return records.get(); }

  SiteScene& scene;
  std::unique_ptr<kube::Http> watches;
  std::unique_ptr<kube::Http> writes;
  std::unique_ptr<kube::ObjectClient> client;
  std::unique_ptr<ObjectRecords> records;
};

/// Where in its work a node loses its power.
enum class Cut : std::uint8_t { kNever, kTaken, kMounted, kDone, kTold };

/// A node of a site with shares that are folders, and its agent while it lives.
class SceneNode final : public ShareAccess, public DirectoryWork {
 public:
  SceneNode(SiteScene& scene, std::string name, std::string site);
  ~SceneNode() override;
  SceneNode(const SceneNode&) = delete;
  SceneNode& operator=(const SceneNode&) = delete;

  void start();
  /// As without power: what runs ends where it is, and nothing more is done.
  void die();
  /// Its link to the API server.
  void cut_link(bool is_cut);

  Result<std::string> mounted_at(const NasSource& source, std::chrono::milliseconds patience) override;
  [[nodiscard]] std::string address_of(const NasSource& source, std::chrono::milliseconds patience) override {
    return shares_.address_of(source, patience);
  }
  [[nodiscard]] bool answers(const NasSource& source) override;
  Result<std::string> run(const std::string& id, const std::string& server, DirectoryOrder order,
                          std::chrono::milliseconds patience) override;
  void give_up(const std::string& id) override;

  std::atomic<Cut> cut_at = Cut::kNever;
  std::atomic<bool> powerless = false;  ///< it was cut there
  std::atomic<bool> server_dead = false;
  std::atomic<bool> busy = false;  ///< its works take long
  bool patient = false;            ///< nobody is to take over from it; set before start()
  std::atomic<int> begun = 0;
  std::atomic<int> given_up = 0;
  std::atomic<int> refusing = 0;        ///< the errno of its mounts; 0: they succeed
  std::function<void()> at_mount = {};  ///< called before a share is told; set before start()
  std::function<void()> at_work = {};   ///< called before a work begins; likewise

 private:
  Status power_until(Cut step);

  SiteScene& scene_;
  const std::string name_;
  const std::string site_;
  FolderShares shares_;
  std::uint64_t lives_ = 0;
  std::unique_ptr<CuttableHttp> watches_;
  std::unique_ptr<CuttableHttp> writes_;
  std::unique_ptr<kube::ObjectClient> client_;
  std::unique_ptr<SiteAgent> agent_;
};

/// A controller of a cluster, whose calls are the test's thread's.
class SceneController {
 public:
  explicit SceneController(SiteScene& scene);
  ~SceneController();
  SceneController(const SceneController&) = delete;
  SceneController& operator=(const SceneController&) = delete;

  static NewVolume wish(const std::string& name, const std::string& site,
                        std::map<std::string, std::string> more = {});
  /// Asks again while it is told to.
  Result<NasRecord> create(const NewVolume& wanted);
  Status remove(const std::string& id);
  Result<NasRecord> snapshot(const std::string& name, const std::string& volume);

  SiteScene& scene;
  std::unique_ptr<kube::Http> watches;
  std::unique_ptr<kube::Http> writes;
  std::unique_ptr<kube::ObjectClient> client;
  std::unique_ptr<SiteTasks> tasks;
  SceneRecords records;
  SceneNode own;  ///< what the controller itself reaches; no agent
  NasVolumes volumes;
};

}  // namespace holdfast::nas::test

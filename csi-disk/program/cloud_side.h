#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/cloud/credentials.h"
#include "common/cloud/http_client.h"
#include "common/csi/driver_host.h"
#include "csi-disk/backend/cloud_backend.h"
#include "csi-disk/backend/patient_disks.h"
#include "csi-disk/controller/disk_controller.h"
#include "csi-disk/controller/unfinished_disks.h"
#include "csi-disk/program/claim_events.h"
#include "csi-disk/program/options.h"

namespace holdfast::disk {

/// The cloud whose disks are volumes, what calls it, and the controller that asks it.
class CloudSide {
 public:
  /// `backend` is not kStatic; `cluster` as in DiskSettings. `events` null: notes of the controller are
  /// told in the log alone; with driver_name they are counted, in holdfast_disk_zone_conflicts_total, in any
  /// case. `context` outlives it. Errors: kInvalidArgument
  /// for a profile whose cloud is not known, when no region of a cloud or no socket of a plugin is told;
  /// kUnavailable when no plugin answers there.
  static Result<std::unique_ptr<CloudSide>> make(const csi::HostContext& context, const Options& options,
                                                 const csi::Profile& profile, Backend backend,
                                                 std::string cluster,
                                                 std::unique_ptr<ClaimEvents> events = nullptr);
  CloudSide(const CloudSide&) = delete;
  CloudSide& operator=(const CloudSide&) = delete;
  ~CloudSide() = default;

  [[nodiscard]] csi::ControllerDriver& driver() { return controller_; }
  /// How many disks that node may have beside the one that it boots from; nullopt: the cloud does not say.
  /// Errors: those of the API's call.
  Result<std::optional<std::uint32_t>> attach_limit_of(const std::string& instance_id);
  /// Every csi::kTick: looks now and then for disks that were left unfinished (UnfinishedDisks), tells new
  /// ones in the log and counts them in holdfast_disks_unfinished, with driver_name. The first look is at
  /// once, so that a cloud that does not answer, or not with these credentials, is told in the log from the
  /// start, once until it answers or the reason is another.
  void tick();
  /// Calls `done` when what is to be told is, or after a moment.
  void end(const std::function<void()>& done);

 private:
  static constexpr std::chrono::minutes kBetweenLooks{10};
  static constexpr std::chrono::minutes kAfterNoAnswer{1};
  /// Of each page. What waits for the end of the program waits for it.
  static constexpr std::chrono::seconds kLookPatience{5};

  void tell_unfinished();
  void tell_no_answer(const Error& error);
  /// `plugin` null: the backend's API is called.
  CloudSide(const csi::HostContext& context, const cloud::CloudOptions& options, Backend backend,
            const std::string& driver, std::unique_ptr<CloudBackend> plugin, DiskSettings settings,
            std::unique_ptr<ClaimEvents> events);
  void tell(const DiskNote& note);

  std::unique_ptr<ClaimEvents> events_;
  Counter& conflicts_;
  cloud::CurlClient http_;
  std::unique_ptr<cloud::CredentialSource> credentials_;
  std::unique_ptr<CloudBackend> cloud_;
  PatientDisks patient_;
  DiskVolumes volumes_;
  DiskController controller_;
  csi::HostContext context_;
  UnfinishedDisks unfinished_;
  Gauge& unfinished_count_;
  std::chrono::nanoseconds look_next_{};
  bool looking_ = false;
  Result<std::vector<std::string>> looked_;  // of the worker until its job is done
  std::set<std::string> told_;
  std::string no_answer_;  // the reason that was told last; empty: the cloud has answered
};

/// A controller that no kubelet has to know, for a program that hosts it.
std::unique_ptr<csi::HostedDriver> make_controller_plugin(const csi::Profile& profile,
                                                          const std::filesystem::path& socket,
                                                          std::shared_ptr<CloudSide> side);

}  // namespace holdfast::disk

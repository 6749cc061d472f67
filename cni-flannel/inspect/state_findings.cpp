#include "cni-flannel/inspect/state_findings.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "cni-flannel/daemon/conditions.h"
#include "cni-flannel/daemon/dir_source.h"
#include "cni-flannel/daemon/name_list.h"

namespace holdfast::flannel {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWhat = "stored state";

std::string age_text(std::chrono::seconds age) {
  if (age >= std::chrono::hours(48)) return std::to_string(age / std::chrono::hours(24)) + " days";
  if (age >= std::chrono::hours(2)) return std::to_string(age / std::chrono::hours(1)) + " hours";
  if (age >= std::chrono::minutes(2)) return std::to_string(age / std::chrono::minutes(1)) + " minutes";
  return std::to_string(std::max<std::int64_t>(age.count(), 0)) + " s";
}

/// Why nothing can be written there; empty when something can. A new state is written beside the old one.
std::string write_trouble(const fs::path& folder, std::uint64_t bytes) {
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) != 0) {
    return errno == ENOENT ? "is not there, so flanneld has stored nothing: see its log"
                           : std::string("cannot be looked at: ") + std::generic_category().message(errno);
  }
  if ((disk.f_flag & ST_RDONLY) != 0) {
    return "is read-only, so nothing new is stored: look for errors of the disk (dmesg), then mount it "
           "writable";
  }
  const std::uint64_t room = std::uint64_t{disk.f_bfree} * disk.f_frsize;
  if (room < bytes || (disk.f_files != 0 && disk.f_ffree == 0)) {
    return "the disk is full (" + std::to_string(room) + " bytes and " + std::to_string(disk.f_ffree) +
           " inodes are free), so nothing new is stored: make room";
  }
  return "";
}

class StateLook {
 public:
  StateLook(Files& files, Clock& clock, fs::path folder, const OverlayReport& overlay,
            const DaemonReport& daemon)
      : files_(files), clock_(clock), folder_(std::move(folder)), overlay_(overlay), daemon_(daemon) {}

  StateFindings look() {
    look_at_folder();
    look_at_damaged();
    look_at_file();
    look_at_documents();
    out_.current = out_.current && !daemon_.lacks(kStateStored.type);
    return std::move(out_);
  }

 private:
  void add(Verdict verdict, std::string what, std::string detail) {
    out_.findings.push_back({verdict, std::move(what), std::move(detail)});
  }
  void look_at_folder();
  void look_at_damaged();
  void look_at_file();
  void look_at_documents();
  Files& files_;
  Clock& clock_;
  fs::path folder_;
  const OverlayReport& overlay_;
  const DaemonReport& daemon_;
  StateFindings out_;
};

void StateLook::look_at_folder() {
  std::error_code absent;
  const std::uintmax_t size = fs::file_size(folder_ / "overlay.json", absent);
  const std::string trouble = write_trouble(folder_, absent ? 1 : size);
  if (!trouble.empty()) {
    add(Verdict::kWrong, folder_.native(), trouble);
    out_.current = false;
  }
}

void StateLook::look_at_damaged() {
  const auto names = files_.list(folder_);
  if (!names) return add(Verdict::kWrong, folder_.native(), names.error().message);
  for (const std::string& name : *names) {
    // those of flanneld are numbered, the plugin keeps the last one
    if (name.find(".damaged-") == std::string::npos && !name.ends_with(".damaged")) continue;
    add(Verdict::kDoubtful, (folder_ / name).native(),
        "a damaged file was set aside; look at the disk, then remove it");
  }
}

void StateLook::look_at_file() {
  std::error_code failed;
  const auto written = fs::last_write_time(folder_ / "overlay.json", failed);
  if (failed) return;  // that there is none is told with the lease
  const auto age =
      std::chrono::floor<std::chrono::seconds>(clock_.now() - std::chrono::file_clock::to_sys(written));
  if (overlay_.own) {
    add(Verdict::kWell, kWhat,
        std::to_string(other_nodes(overlay_)) + " other nodes, last changed " + age_text(age) + " ago");
  }
  const bool behind = age < -std::chrono::minutes(1);
  add(behind ? Verdict::kDoubtful : Verdict::kWell, "clock",
      behind ? "is behind the time at which the state was written: certificates may seem not yet valid"
             : "not behind the stored state");
}

void StateLook::look_at_documents() {
  const std::optional<DaemonRun>& run = daemon_.run;
  if (!run || !run->same_files || !run->options || run->options->source != SourceKind::kDir) return;
  const fs::path& folder = run->options->config_dir;
  NodeFolder documents(files_, folder);
  const Result<FolderContent> told = documents.read();
  if (!told) return add(Verdict::kWrong, folder.native(), told.error().message);
  for (const std::string& note : told->notes) add(Verdict::kWrong, "documents", note);
  std::map<std::string_view, const NodeNetwork*> stored;
  for (const NodeNetwork& node : overlay_.nodes) stored[node.node] = &node;
  std::vector<std::string> others;
  for (const NodeNetworkObject& node : told->changed) {
    const auto known = stored.find(node.identity.name);
    if (!node.removed_at.empty() || (known != stored.end() && *known->second == node.network)) continue;
    others.push_back(node.identity.name);
  }
  if (others.empty()) return;
  out_.current = false;
  add(Verdict::kWrong, kWhat,
      "is not what " + folder.native() + " tells of " + name_list(others) +
          ": a reboot would begin with what is stored; flanneld's log tells why it is not");
}

}  // namespace

StateFindings state_findings(Files& files, Clock& clock, const fs::path& state_dir,
                             const OverlayReport& overlay, const DaemonReport& daemon) {
  return StateLook(files, clock, state_dir, overlay, daemon).look();
}

}  // namespace holdfast::flannel

// What a pod waits for when its volume is there already: staging a formatted disk, publishing it, and asking
// for its usage. A loop device over memory stands for the disk, so the figures are those of the code, the
// kernel and the programs that are run, not of a medium. mount(8) and umount(8) do the same beside it, in
// turn.

#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/exec.h"
#include "common/block/blank_proof.h"
#include "common/block/filesystem.h"
#include "common/block/format_decision.h"
#include "common/block/volume_stats.h"
#include "common/mount/mounter.h"
#include "test/bench/cni/figures.h"
#include "test/block/loop_device.h"
#include "test/mount/fresh_mounts.h"

namespace holdfast::bench {
namespace {

constexpr int kRounds = 200;
constexpr std::uint64_t kDiskBytes = std::uint64_t{1} << 30;
constexpr std::chrono::seconds kAmple{30};
constexpr const char* kRoot = "/mnt/kubelet";
constexpr const char* kStage = "/mnt/kubelet/plugins/csi/volume/globalmount";
constexpr const char* kTarget = "/mnt/kubelet/pods/pod/mount";

constexpr std::string_view kUsage =
    "Usage: bench_mount [--gate]\n"
    "Staging, publishing and usage of a formatted ext4 on a loop device, beside mount(8); 200 rounds, in "
    "ms.\n"
    "One JSON line, and the bars on standard error. Exit status: 0; 1 when something failed, and with "
    "--gate\n"
    "also when a bar is missed. Needs root; mounts in a namespace of its own.\n";

/// What a figure's p99 is to be at most.
struct Bar {
  const char* figure;
  double limit_ms;
};
constexpr Bar kBars[] = {{"stage", 60}, {"publish", 20}, {"stats", 2}};

class Bench {
 public:
  Status prepare() {
    test::FreshMounts::folder("kubelet");
    HOLDFAST_TRY(mounter_, mount::make_mounter(kRoot));
    uuid_ = block::new_uuid();
    HOLDFAST_CHECK(file_systems_.make(disk_.path(), {.type = block::FsType::kExt4, .uuid = uuid_}, kAmple));
    return run({"mkdir", "-p", kStage, "/mnt/kubelet/pods/pod"});
  }

  Status round() {
    HOLDFAST_CHECK(timed("prove", [&] { return prove(); }));
    HOLDFAST_CHECK(timed("check", [&] { return check(); }));
    HOLDFAST_CHECK(timed("mount", [&] { return mounter_->stage(stage_request()); }));
    add_sum("stage", {"prove", "check", "mount"});
    HOLDFAST_CHECK(timed("publish", [&] { return mounter_->publish({kStage, kTarget, true}); }));
    HOLDFAST_CHECK(ask_for_usage());
    HOLDFAST_CHECK(timed("unpublish", [&] { return mounter_->unpublish(kTarget); }));
    HOLDFAST_CHECK(timed("unstage", [&] { return mounter_->unstage(kStage, disk_.path()); }));
    return by_hand();
  }

  [[nodiscard]] nlohmann::json to_json() const {
    nlohmann::json out{{"bench", "mount"}, {"rounds", kRounds}, {"unit", "ms"}};
    for (const auto& [name, figures] : figures_) out[name] = figures.to_json();
    out["bars"] = nlohmann::json::array();
    for (const Bar& bar : kBars) {
      const double p99 = figures_.at(bar.figure).percentile_ms(99);
      out["bars"].push_back({{"name", std::string(bar.figure) + "_p99"},
                             {"value", p99},
                             {"limit", bar.limit_ms},
                             {"pass", p99 <= bar.limit_ms}});
    }
    return out;
  }

 private:
  using Nanoseconds = std::chrono::nanoseconds;

  Status timed(const std::string& name, const std::function<Status()>& step) {
    const auto begin = std::chrono::steady_clock::now();
    HOLDFAST_CHECK(step());
    last_[name] = std::chrono::steady_clock::now() - begin;
    figures_[name].add(last_[name]);
    return {};
  }

  void add_sum(const std::string& name, std::initializer_list<std::string> parts) {
    Nanoseconds sum{};
    for (const std::string& part : parts) sum += last_[part];
    figures_[name].add(sum);
  }

  Status prove() {
    HOLDFAST_TRY(const auto device, block::SystemBlockDevice::open(disk_.path(), block::Access::kRead));
    HOLDFAST_TRY(const block::Content content, block::look_at(*device));
    block::FormatQuestion question;
    question.volume = "v";
    question.fs_type = "ext4";
    question.provenance = {block::Provenance::Kind::kFormatted, uuid_};
    question.content = content;
    const block::FormatDecision decision = block::decide_format(question);
    if (std::holds_alternative<block::Mount>(decision)) return {};
    return fail(Code::kInternal, "the disk " + block::describe(content));
  }

  Status check() {
    HOLDFAST_TRY(const auto outcome, file_systems_.check(disk_.path(), block::FsType::kExt4, kAmple));
    return outcome == block::CheckOutcome::kClean ? Status{}
                                                  : Status(fail(Code::kInternal, "the disk was mended"));
  }

  [[nodiscard]] mount::StageRequest stage_request() const {
    return {.device = disk_.path(), .fs_type = "ext4", .target = kStage};
  }

  Status ask_for_usage() {
    const std::string volume = "v" + std::to_string(asked_++);
    stats_.add(volume, kStage);
    stats_.tick();
    while (!stats_.latest(volume)->usage) clock_.sleep(std::chrono::microseconds(100));
    return timed("stats", [&] {
      return stats_.latest(volume)->usage ? Status{} : Status(fail(Code::kInternal, "no usage"));
    });
  }

  Status by_hand() {
    HOLDFAST_CHECK(timed("mount8_mount", [&] { return run({"mount", "-t", "ext4", disk_.path(), kStage}); }));
    HOLDFAST_CHECK(run({"mkdir", kTarget}));
    HOLDFAST_CHECK(timed("mount8_bind", [&] {
      return run({"mount", "--bind", "-o", "ro", kStage, kTarget});
    }));
    HOLDFAST_CHECK(timed("umount8_bind", [&] { return run({"umount", kTarget}); }));
    HOLDFAST_CHECK(run({"rmdir", kTarget}));
    return timed("umount8_mount", [&] { return run({"umount", kStage}); });
  }

  Status run(std::vector<std::string> argv) {
    argv.front() = find_system_program(argv.front());
    HOLDFAST_TRY(
        const CommandResult result,
        executor_.run({.argv = std::move(argv), .environment = {}, .input = "", .deadline = kAmple}));
    return result.succeeded() ? Status{} : Status(fail(Code::kInternal, result.errors));
  }

  test::FreshMounts mounts_;
  test::LoopDevice disk_{kDiskBytes};
  SystemClock clock_;
  SystemExecutor executor_;
  block::FileSystems file_systems_{executor_};
  block::VolumeStats stats_{std::make_shared<block::SystemVolumeProbe>(), clock_};
  std::unique_ptr<mount::Mounter> mounter_;
  std::string uuid_;
  std::map<std::string, Figures> figures_;
  std::map<std::string, Nanoseconds> last_;
  int asked_ = 0;
};

Result<nlohmann::json> measure() {
  Bench bench;
  HOLDFAST_CHECK(bench.prepare());
  for (int i = 0; i < kRounds; ++i) HOLDFAST_CHECK(bench.round());
  return bench.to_json();
}

// Whether each is kept; tells of each.
bool keeps_bars(const nlohmann::json& bars) {
  bool kept = true;
  for (const nlohmann::json& bar : bars) {
    const bool pass = bar.at("pass").get<bool>();
    std::cerr << (pass ? "pass  " : "MISS  ") << bar.at("name").get<std::string>() << ' '
              << bar.at("value").get<double>() << "  limit " << bar.at("limit").get<double>() << '\n';
    kept = kept && pass;
  }
  return kept;
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  const bool gate = argc == 2 && argv[1] == std::string_view("--gate");
  if (argc > 1 && !gate) {
    std::cout << holdfast::bench::kUsage;
    return 0;
  }
  const auto figures = holdfast::bench::measure();
  if (!figures) {
    std::cerr << "bench_mount: " << figures.error().message << '\n';
    return 1;
  }
  std::cout << figures->dump() << '\n';
  const bool kept = holdfast::bench::keeps_bars(figures->at("bars"));
  return kept || !gate ? 0 : 1;
}

#include "test/bench/cni/contest.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "test/bench/cni/bare_delete.h"
#include "test/tools/private_host.h"
#include "test/tools/syscall_trace.h"

namespace holdfast::bench {
namespace {

using test::Holdings;
using test::PluginCall;
using test::PluginEnd;
using test::PluginSetup;
using test::Sandbox;

constexpr std::size_t kWarmUps = 5;
constexpr std::size_t kVersionRuns = 300;
constexpr std::size_t kRssRuns = 3;
constexpr std::chrono::seconds kPatience{120};
/// Grace periods of what was deleted before end within it and do not fall into the next measurement.
constexpr std::chrono::milliseconds kPause{15};

/// One of the two contestants: a plugin in a host of its own.
struct Side {
  const PluginSetup& setup;
  SideFigures& figures;
  Fd host;  ///< its host's network namespace
  std::filesystem::path pod;

  Status enter() const {
    if (::setns(host.get(), CLONE_NEWNET) != 0) return fail_errno(errno, "join the host of " + setup.name);
    return {};
  }
};

Result<Side> make_side(const PluginSetup& setup, SideFigures& figures) {
  HOLDFAST_TRY(const std::filesystem::path host, test::make_netns("host-" + setup.name));
  Fd fd(::open(host.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "open " + host.string());
  HOLDFAST_TRY(std::filesystem::path pod, test::make_netns("pod-" + setup.name));
  return Side{setup, figures, std::move(fd), std::move(pod)};
}

Status require_success(const PluginCall& call, const PluginEnd& end) {
  if (end.exit_code == 0) return {};
  return fail(Code::kInternal, call.binary.string() + " " + call.command + " ended with " +
                                   std::to_string(end.exit_code) + ": " + end.out + end.err);
}

/// Runs one call by itself; what it leaves running is waited for and its CPU time added, outside the wall
/// time.
Result<PluginEnd> run_alone(const PluginCall& call) {
  std::this_thread::sleep_for(kPause);
  HOLDFAST_TRY(PluginEnd end, test::run_plugin(call));
  HOLDFAST_CHECK(require_success(call, end));
  HOLDFAST_TRY(const std::chrono::nanoseconds orphans, test::reap_orphans(kPatience));
  end.cpu += orphans;
  return end;
}

void record(VerbFigures& figures, const PluginEnd& end) {
  figures.wall.add(end.wall);
  figures.cpu.add(end.cpu);
}

class Contest {
 public:
  Contest(const Options& options, Outcome& outcome) : options_(options), out_(outcome) {}

  Status run();

 private:
  const Options& options_;
  Outcome& out_;
  std::size_t sandboxes_ = 0;

  Sandbox new_sandbox(const std::filesystem::path& netns, std::size_t pod);
  Status one_round(Side& ours, Side& peer, bool peer_first, bool measured);
  Status measure_bare_delete(Side& ours);
  Status measure_rss(Side& side);
  Status measure_version(const Side& ours);
  Status storm(Side& side);
  Status check_storm(const Side& side, const std::vector<PluginEnd>& ends);
  Status check_nothing_left(const Side& side, const std::string& when);
};

/// Another sandbox of pod number `pod`: the pod is known from its second sandbox on, as on a node that runs
/// for a while.
Sandbox Contest::new_sandbox(const std::filesystem::path& netns, std::size_t pod) {
  const std::string number = std::to_string(++sandboxes_);
  return {.container_id = "sandbox-" + number,
          .pod = "pod-" + std::to_string(pod),
          .pod_uid = "uid-" + std::to_string(pod),
          .netns = netns};
}

/// ADD on both sides, then DEL on both, the first one changing from round to round.
Status Contest::one_round(Side& ours, Side& peer, bool peer_first, bool measured) {
  const std::array<Side*, 2> order = {peer_first ? &peer : &ours, peer_first ? &ours : &peer};
  const std::array<Sandbox, 2> sandboxes = {new_sandbox(order[0]->pod, 0), new_sandbox(order[1]->pod, 0)};
  for (const char* const verb : {"ADD", "DEL"}) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      HOLDFAST_CHECK(order[i]->enter());
      HOLDFAST_TRY(const PluginEnd end, run_alone(make_call(order[i]->setup, verb, sandboxes[i])));
      SideFigures& figures = order[i]->figures;
      if (measured) record(verb == std::string("ADD") ? figures.add : figures.del, end);
    }
  }
  return {};
}

/// The link of an ADD of ours, deleted without our plugin. DEL afterwards frees the address.
Status Contest::measure_bare_delete(Side& ours) {
  HOLDFAST_CHECK(ours.enter());
  const Sandbox sandbox = new_sandbox(ours.pod, 0);
  HOLDFAST_TRY(const PluginEnd added, run_alone(make_call(ours.setup, "ADD", sandbox)));
  HOLDFAST_TRY(const test::AddResult result, test::parse_add_result(added.out));
  std::this_thread::sleep_for(kPause);
  HOLDFAST_TRY(const std::chrono::nanoseconds took, bare_delete(result.host_link));
  out_.bare_delete.add(took);
  HOLDFAST_TRY(const PluginEnd deleted, run_alone(make_call(ours.setup, "DEL", sandbox)));
  return {};
}

/// Peak memory of a traced call; apart from the timed ones, which a tracer would slow down.
Result<std::uint64_t> peak_rss(const PluginCall& call) {
  HOLDFAST_TRY(test::Streams streams, test::Streams::open(call.config));
  test::TraceRequest request;
  request.argv = {call.binary.string()};
  request.env = test::environment_of(call);
  request.in_fd = streams.child_in();
  request.out_fd = streams.child_out();
  request.err_fd = streams.child_err();
  HOLDFAST_TRY(const test::TraceEnd end, test::trace(request));
  if (end.exit_code != 0) return fail(Code::kInternal, call.command + " failed under the tracer");
  return end.peak_rss_bytes;
}

Status Contest::measure_rss(Side& side) {
  HOLDFAST_CHECK(side.enter());
  for (std::size_t i = 0; i < kRssRuns; ++i) {
    const Sandbox sandbox = new_sandbox(side.pod, 0);
    HOLDFAST_TRY(const std::uint64_t add, peak_rss(make_call(side.setup, "ADD", sandbox)));
    HOLDFAST_TRY(const std::uint64_t del, peak_rss(make_call(side.setup, "DEL", sandbox)));
    side.figures.add.peak_rss_bytes = std::max(side.figures.add.peak_rss_bytes, add);
    side.figures.del.peak_rss_bytes = std::max(side.figures.del.peak_rss_bytes, del);
  }
  return {};
}

Status Contest::measure_version(const Side& ours) {
  const PluginCall call{
      .binary = ours.setup.binary, .command = "VERSION", .ifname = "", .config = R"({"cniVersion":"1.0.0"})"};
  for (std::size_t i = 0; i < kVersionRuns; ++i) {
    HOLDFAST_TRY(const PluginEnd end, test::run_plugin(call));
    HOLDFAST_CHECK(require_success(call, end));
    out_.version.add(end.wall);
  }
  return {};
}

/// All ADDs at once, then all DELs at once.
Status Contest::storm(Side& side) {
  HOLDFAST_CHECK(side.enter());
  std::vector<PluginCall> adds;
  std::vector<PluginCall> dels;
  for (std::size_t i = 0; i < options_.storm; ++i) {
    HOLDFAST_TRY(const auto netns, test::make_netns("storm-" + side.setup.name + "-" + std::to_string(i)));
    const Sandbox sandbox = new_sandbox(netns, i + 1);
    adds.push_back(make_call(side.setup, "ADD", sandbox));
    dels.push_back(make_call(side.setup, "DEL", sandbox));
  }
  HOLDFAST_TRY(const std::vector<PluginEnd> added, test::run_plugins(adds, kPatience));
  for (const PluginEnd& end : added) side.figures.storm.add.add(end.wall);
  HOLDFAST_CHECK(check_storm(side, added));
  HOLDFAST_TRY(const std::vector<PluginEnd> deleted, test::run_plugins(dels, kPatience));
  for (const PluginEnd& end : deleted) side.figures.storm.del.add(end.wall);
  for (std::size_t i = 0; i < dels.size(); ++i) HOLDFAST_CHECK(require_success(dels[i], deleted[i]));
  HOLDFAST_TRY(const std::chrono::nanoseconds orphans, test::reap_orphans(kPatience));
  static_cast<void>(orphans);  // a storm has no CPU figure
  return check_nothing_left(side, std::to_string(options_.storm) + " DELs at once");
}

Status Contest::check_storm(const Side& side, const std::vector<PluginEnd>& ends) {
  std::set<std::string> addresses;
  std::set<std::string> links;
  std::string refused;
  for (const PluginEnd& end : ends) {
    const auto result = test::parse_add_result(end.out);
    if (end.exit_code != 0 || !result) {
      refused += " " + end.out + end.err;
      continue;
    }
    addresses.insert(result->addresses.begin(), result->addresses.end());
    links.insert(result->host_link);
  }
  const std::string count = std::to_string(ends.size());
  out_.checks.push_back(
      {side.setup.name + ": " + count + " ADDs at once all succeed", refused.empty(), refused});
  out_.checks.push_back(
      {side.setup.name + ": " + count + " ADDs at once give no address or link twice",
       addresses.size() == ends.size() && links.size() == ends.size(),
       std::to_string(addresses.size()) + " addresses, " + std::to_string(links.size()) + " links"});
  HOLDFAST_TRY(const Holdings held, holdings_of(side.setup));
  out_.checks.push_back({side.setup.name + ": each has one link and one address file",
                         held.host_links == links && held.addresses.size() == ends.size(), held.to_string()});
  return {};
}

Status Contest::check_nothing_left(const Side& side, const std::string& when) {
  HOLDFAST_TRY(const Holdings held, holdings_of(side.setup));
  out_.checks.push_back(
      {side.setup.name + ": nothing is left after " + when, held.empty(), held.to_string()});
  return {};
}

Status Contest::run() {
  HOLDFAST_TRY(out_.binary, read_elf(options_.ours.binary));
  HOLDFAST_TRY(FsyncFloor floor, FsyncFloor::open(options_.work));
  HOLDFAST_TRY(Side ours, make_side(options_.ours, out_.ours));
  HOLDFAST_TRY(Side peer, make_side(options_.peer, out_.peer));
  for (std::size_t i = 0; i < kWarmUps + options_.pairs; ++i) {
    const bool measured = i >= kWarmUps;
    HOLDFAST_CHECK(one_round(ours, peer, /*peer_first=*/i % 2 == 1, measured));
    if (!measured) continue;
    HOLDFAST_CHECK(measure_bare_delete(ours));
    HOLDFAST_CHECK(floor.measure());
  }
  for (Side* const side : {&ours, &peer}) {
    HOLDFAST_CHECK(side->enter());
    HOLDFAST_CHECK(check_nothing_left(*side, std::to_string(options_.pairs) + " ADDs and DELs"));
    HOLDFAST_CHECK(measure_rss(*side));
    HOLDFAST_CHECK(storm(*side));
  }
  HOLDFAST_CHECK(measure_version(ours));
  out_.fsync_append = std::move(floor.appends);
  out_.fsync_replace = std::move(floor.replaces);
  return {};
}

}  // namespace

Result<Outcome> run_contest(const Options& options) {
  HOLDFAST_CHECK(test::require_disk(options.work));
  const std::filesystem::path state = options.work / "state";
  std::error_code error;
  std::filesystem::create_directory(state, error);
  if (error) return fail_errno(error.value(), "mkdir " + state.string());
  HOLDFAST_CHECK(test::adopt_orphans());
  HOLDFAST_CHECK(test::enter_private_host(state));
  HOLDFAST_CHECK(test::write_subnet_env());
  Outcome outcome;
  HOLDFAST_CHECK(Contest(options, outcome).run());
  return outcome;
}

}  // namespace holdfast::bench

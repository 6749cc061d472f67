// flanneld as it is shipped: how fast it is ready, mends and changes, and what memory it takes.
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "common/netlink/link.h"
#include "common/netlink/monitor.h"
#include "test/bench/api/hour.h"
#include "test/bench/api/server_process.h"
#include "test/bench/overlay/daemon_run.h"
#include "test/bench/overlay/patch_object.h"

namespace {

namespace fs = std::filesystem;
using namespace holdfast;
using namespace holdfast::bench;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr char kUsage[] =
    "usage: bench_overlay [--peers N] [--many N] [--runs N] [--gate]\n"
    "\n"
    "Measures flanneld ($HOLDFAST_BIN/flanneld) in a network namespace of its own, with its files in\n"
    "$TMPDIR: with N peers (1000), and memory also with many (5000). Needs root. Prints one JSON line on\n"
    "standard output and the figures beside their bars on standard error.\n"
    "Exit status: 0; 1 when something failed, and with --gate also when a bar is missed.\n";

struct CommandLine {
  unsigned peers = 1000;
  unsigned many = 5000;
  unsigned runs = 7;
  bool gate = false;
};

struct Bar {
  std::string name;
  double value;
  double limit;
  std::string unit;
  [[nodiscard]] bool pass() const { return value <= limit; }
};

double milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

json figures(std::vector<double> values) {
  std::ranges::sort(values);
  return {{"p50", median(values)}, {"min", values.front()}, {"max", values.back()}};
}

Status delete_device() {
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
  return socket.run(nl::delete_link("flannel.1"));
}

Status require_all(unsigned peers) {
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
  HOLDFAST_TRY(const Programmed programmed, count_programmed(socket));
  if (programmed.all(peers)) return {};
  return fail(Code::kInternal, "ready with " + std::to_string(programmed.neighbours) + " neighbours, " +
                                   std::to_string(programmed.fdb) + " FDB entries and " +
                                   std::to_string(programmed.routes) + " routes of " + std::to_string(peers));
}

/// A boot with no source: an empty kernel, and the store.
Result<std::vector<double>> measure_start(const OverlayNode& node, const CommandLine& line) {
  std::vector<double> out;
  HOLDFAST_CHECK(node.write_files(0));
  HOLDFAST_CHECK(node.write_store(line.peers));
  fs::remove_all(node.work / "nodes");
  for (unsigned run = 0; run < line.runs; ++run) {
    HOLDFAST_CHECK(delete_device());
    fs::remove_all(node.work / "run");
    HOLDFAST_TRY(DaemonRun daemon, DaemonRun::start(node));
    HOLDFAST_TRY(const auto took, daemon.wait_ready());
    HOLDFAST_CHECK(require_all(line.peers));
    out.push_back(milliseconds(took));
  }
  return out;
}

/// From what is done to tell a peer's new MAC to its FDB entry.
template <class Tell>
Result<double> change_one(nl::Monitor& monitor, const std::string& mac, Tell tell) {
  const auto begun = Clock::now();
  HOLDFAST_CHECK(tell());
  while (Clock::now() - begun < std::chrono::seconds(5)) {
    pollfd wait{monitor.fd(), POLLIN, 0};
    ::poll(&wait, 1, 100);
    const auto now = Clock::now();
    HOLDFAST_TRY(const std::vector<nl::Event> events, monitor.read());
    for (const nl::Event& event : events) {
      const auto* fdb = std::get_if<nl::FdbEvent>(&event);
      if (fdb != nullptr && !fdb->gone && fdb->entry.mac.to_string() == mac) return milliseconds(now - begun);
    }
  }
  return fail(Code::kDeadlineExceeded, "a peer's new MAC is not programmed after 5 s");
}

Result<std::vector<double>> measure_change(const OverlayNode& node, const CommandLine& line) {
  HOLDFAST_TRY(nl::Monitor monitor, nl::Monitor::open({.neighbours = true}));
  std::vector<double> out;
  for (unsigned run = 1; run <= 3 * line.runs; ++run) {
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    const unsigned peer = 1 + run % line.peers;
    HOLDFAST_TRY(const double took, change_one(monitor, mac_of(peer, run), [&] {
                   return node.write_peer(peer, run);  // a rename
                 }));
    out.push_back(took);
  }
  return out;
}

Result<std::vector<double>> measure_heal(const CommandLine& line) {
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
  std::vector<double> out;
  for (unsigned run = 0; run < line.runs; ++run) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    const auto begun = Clock::now();
    HOLDFAST_CHECK(delete_device());
    for (Programmed now; !now.all(line.peers);) {
      HOLDFAST_TRY(now, count_programmed(socket));
      if (Clock::now() - begun > std::chrono::seconds(10)) {
        return fail(Code::kDeadlineExceeded, "the overlay is not whole 10 s after its device was deleted");
      }
    }
    out.push_back(milliseconds(Clock::now() - begun));
  }
  return out;
}

/// With `peers` told by their files, some time after it was ready.
Result<DaemonRun::Memory> measure_memory(const OverlayNode& node, unsigned peers) {
  HOLDFAST_CHECK(delete_device());
  fs::remove_all(node.work / "state");
  HOLDFAST_CHECK(node.write_files(peers));
  HOLDFAST_TRY(DaemonRun daemon, DaemonRun::start(node));
  HOLDFAST_TRY([[maybe_unused]] const auto took, daemon.wait_ready());
  std::this_thread::sleep_for(std::chrono::seconds(2));
  HOLDFAST_CHECK(require_all(peers));
  return daemon.memory();
}

/// By a patch of the peer's object.
Result<std::vector<double>> measure_change_by_api(const std::string& url, const CommandLine& line) {
  HOLDFAST_TRY(nl::Monitor monitor, nl::Monitor::open({.neighbours = true}));
  std::vector<double> out;
  for (unsigned run = 1; run <= 3 * line.runs; ++run) {
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    const unsigned peer = 2 + run % line.peers;
    const std::string mac = published_mac(peer, 1 + run % 8);
    const json patch{{"spec", {{"flannel", {{"backendData", {{"VtepMAC", mac}}}}}}}};
    HOLDFAST_TRY(const double took, change_one(monitor, mac, [&] {
                   return patch_object(url, "edge-node-" + std::to_string(peer), patch.dump());
                 }));
    out.push_back(took);
  }
  return out;
}

/// With an API server that has `peers` nodes beside ours.
struct ByApi {
  std::vector<double> start;  ///< with nothing stored, until all are programmed
  std::vector<double> change;
  DaemonRun::Memory memory;
};
Result<ByApi> measure_by_api(const OverlayNode& files, unsigned peers, unsigned runs,
                             const CommandLine& line) {
  const ServerProcess server(peers + 1);
  ByApi out;
  for (unsigned run = 0; run < runs; ++run) {
    HOLDFAST_TRY(const OverlayNode node, files.with_api(server.url()));
    static_cast<void>(delete_device());
    HOLDFAST_TRY(DaemonRun daemon, DaemonRun::start(node));
    HOLDFAST_TRY(const auto took, daemon.wait_ready());
    HOLDFAST_CHECK(require_all(peers));
    out.start.push_back(milliseconds(took));
    if (run + 1 < runs) continue;
    std::this_thread::sleep_for(std::chrono::seconds(2));
    out.memory = daemon.memory();
    if (peers == line.peers) {
      HOLDFAST_TRY(out.change, measure_change_by_api(server.url(), line));
    }
  }
  return out;
}

Result<int> measure(const CommandLine& line, const fs::path& work) {
  const char* const bin = ::getenv("HOLDFAST_BIN");
  const OverlayNode node{fs::absolute(fs::path(bin != nullptr ? bin : "build/bin") / "flanneld"), work};
  HOLDFAST_CHECK(OverlayNode::enter());
  HOLDFAST_TRY(const auto start, measure_start(node, line));
  HOLDFAST_TRY(const DaemonRun::Memory few, measure_memory(node, line.peers));
  HOLDFAST_TRY(const DaemonRun::Memory many, measure_memory(node, line.many));
  HOLDFAST_CHECK(delete_device());
  HOLDFAST_CHECK(node.write_files(line.peers));
  fs::remove_all(node.work / "state");
  HOLDFAST_TRY(DaemonRun daemon, DaemonRun::start(node));
  HOLDFAST_TRY([[maybe_unused]] const auto took, daemon.wait_ready());
  HOLDFAST_TRY(const auto change, measure_change(node, line));
  HOLDFAST_TRY(const auto heal, measure_heal(line));
  daemon.end();
  HOLDFAST_TRY(const ByApi few_by_api, measure_by_api(node, line.peers, line.runs, line));
  HOLDFAST_TRY(const ByApi many_by_api, measure_by_api(node, line.many, 3, line));

  const double mib = 1024 * 1024;
  const std::vector<Bar> bars{
      {"start_to_ready_from_store", median(start), 300, "ms"},
      {"one_peer_changed", median(change), 10, "ms"},
      {"device_deleted_to_whole", median(heal), 300, "ms"},
      {"rss_anon", static_cast<double>(few.rss_anon_bytes) / mib, 8, "MiB"},
      {"pss", static_cast<double>(few.pss_bytes) / mib, 12, "MiB"},
      {"pss_many", static_cast<double>(many.pss_bytes) / mib, 24, "MiB"},
      {"api_start_to_ready", median(few_by_api.start), 400, "ms"},
      {"api_one_peer_changed", median(few_by_api.change), 10, "ms"},
      {"api_rss_anon", static_cast<double>(few_by_api.memory.rss_anon_bytes) / mib, 8, "MiB"},
      {"api_pss", static_cast<double>(few_by_api.memory.pss_bytes) / mib, 12, "MiB"},
      {"api_pss_many", static_cast<double>(many_by_api.memory.pss_bytes) / mib, 24, "MiB"},
  };
  json verdicts = json::array();
  for (const Bar& bar : bars) {
    verdicts.push_back({{"name", bar.name},
                        {"value", bar.value},
                        {"limit", bar.limit},
                        {"unit", bar.unit},
                        {"pass", bar.pass()}});
    std::fprintf(stderr, "%s  %-28s %9.2f  limit %7.1f %s\n", bar.pass() ? "pass" : "MISS", bar.name.c_str(),
                 bar.value, bar.limit, bar.unit.c_str());
  }
  const auto memory = [](const DaemonRun::Memory& m) {
    return json{{"pss_bytes", m.pss_bytes}, {"rss_anon_bytes", m.rss_anon_bytes}};
  };
  std::cout << json{{"bench", "overlay"},
                    {"peers", line.peers},
                    {"many", line.many},
                    {"start_to_ready_ms", figures(start)},
                    {"one_peer_changed_ms", figures(change)},
                    {"device_deleted_to_whole_ms", figures(heal)},
                    {"memory", memory(few)},
                    {"memory_many", memory(many)},
                    {"api_start_to_ready_ms", figures(few_by_api.start)},
                    {"api_start_to_ready_many_ms", figures(many_by_api.start)},
                    {"api_one_peer_changed_ms", figures(few_by_api.change)},
                    {"api_memory", memory(few_by_api.memory)},
                    {"api_memory_many", memory(many_by_api.memory)},
                    {"bars", verdicts}}
                   .dump()
            << std::endl;
  const bool passed = std::ranges::all_of(bars, &Bar::pass);
  return passed || !line.gate ? 0 : 1;
}

/// In a child, so that the folder is removed whatever becomes of the measurement.
Result<int> measure_in_child(const CommandLine& line) {
  std::string work = (fs::temp_directory_path() / "bench-overlay.XXXXXX").string();
  if (::mkdtemp(work.data()) == nullptr) return fail_errno(errno, "make " + work);
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "fork");
  if (child == 0) {
    const Result<int> done = measure(line, work);
    if (!done) std::cerr << "bench_overlay: " << done.error().message << '\n';
    std::cout.flush();
    ::_exit(done.value_or(1));
  }
  int status = 0;
  const bool waited = ::waitpid(child, &status, 0) == child;
  std::error_code failed;
  fs::remove_all(work, failed);
  return waited && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

Result<CommandLine> parse(int argc, char** argv) {
  CommandLine line;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--gate") {
      line.gate = true;
      continue;
    }
    unsigned* const target = option == "--peers"  ? &line.peers
                             : option == "--many" ? &line.many
                             : option == "--runs" ? &line.runs
                                                  : nullptr;
    const std::string value = i + 1 < argc ? argv[++i] : "";
    unsigned number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (target == nullptr || error != std::errc() || end != value.data() + value.size() || number == 0) {
      return fail(Code::kInvalidArgument, "'" + option + "' is no option, or lacks its number above 0");
    }
    *target = number;
  }
  return line;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--help") {
    std::cout << kUsage;
    return 0;
  }
  const Result<CommandLine> line = parse(argc, argv);
  if (!line) {
    std::cerr << "bench_overlay: " << line.error().message << "\n\n" << kUsage;
    return 2;
  }
  const Result<int> done = measure_in_child(*line);
  if (!done) std::cerr << "bench_overlay: " << done.error().message << '\n';
  return done.value_or(1);
}

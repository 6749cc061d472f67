// Our CNI plugin against upstream's chain, side by side in one run.
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/result.h"
#include "test/bench/cni/contest.h"
#include "test/bench/cni/report.h"

namespace {

namespace fs = std::filesystem;
using holdfast::Code;
using holdfast::fail;
using holdfast::fail_errno;
using holdfast::Result;
using holdfast::Status;
using namespace holdfast::bench;

constexpr char kUsage[] =
    "usage: bench_cni [--plugin FILE] [--peer-dir DIR] [--pairs N] [--storm N] [--work DIR] [--gate] "
    "[--noise]\n"
    "\n"
    "Measures ADD and DEL of our CNI plugin (FILE; $HOLDFAST_BIN/flannel) and of upstream's bridge + "
    "host-local\n"
    "(DIR; /usr/lib/cni) by turns, in namespaces of its own, with state on a disk (DIR; $TMPDIR). Needs "
    "root.\n"
    "Prints one JSON line on standard output and a table on standard error.\n"
    "--noise puts upstream's chain on both sides: what the ratios are worth on this machine.\n"
    "Exit status: 0; 1 when a plugin failed or left something behind, and with --gate also when a bar is "
    "missed.\n";

struct CommandLine {
  fs::path plugin;
  fs::path peer_dir = "/usr/lib/cni";
  fs::path work;
  std::size_t pairs = 100;
  std::size_t storm = 64;
  bool gate = false;
  bool noise = false;
};

Status parse_count(const std::string& option, const std::string& value, std::size_t& count) {
  const auto [rest, error] = std::from_chars(value.data(), value.data() + value.size(), count);
  if (error != std::errc() || rest != value.data() + value.size() || count == 0) {
    return fail(Code::kInvalidArgument, option + " takes a number above 0, got '" + value + "'");
  }
  return {};
}

Status set_option(const std::string& option, const std::string& value, CommandLine& line) {
  if (option == "--pairs") return parse_count(option, value, line.pairs);
  if (option == "--storm") return parse_count(option, value, line.storm);
  if (option == "--plugin") {
    line.plugin = value;
  } else if (option == "--peer-dir") {
    line.peer_dir = value;
  } else if (option == "--work") {
    line.work = value;
  } else {
    return fail(Code::kInvalidArgument, "no option '" + option + "'");
  }
  return {};
}

Result<CommandLine> parse(int argc, char** argv) {
  CommandLine line;
  const char* const bin = ::getenv("HOLDFAST_BIN");
  line.plugin = fs::path(bin != nullptr ? bin : "build/bin") / "flannel";
  line.work = fs::temp_directory_path();
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--gate") {
      line.gate = true;
    } else if (option == "--noise") {
      line.noise = true;
    } else if (i + 1 == argc) {
      return fail(Code::kInvalidArgument, "'" + option + "' is no option or lacks its value");
    } else {
      HOLDFAST_CHECK(set_option(option, argv[++i], line));
    }
  }
  return line;
}

Result<int> measure(const CommandLine& line, const fs::path& work) {
  const auto ours = line.noise ? holdfast::test::bridge_setup(line.peer_dir, "noise")
                               : holdfast::test::flannel_setup(fs::absolute(line.plugin));
  Options options{.ours = ours,
                  .peer = holdfast::test::bridge_setup(line.peer_dir, "peer"),
                  .pairs = line.pairs,
                  .storm = line.storm,
                  .work = work};
  if (line.noise) options.ours.name = "noise";
  HOLDFAST_TRY(const Outcome outcome, run_contest(options));
  const std::vector<Bar> bars = judge(outcome);
  std::cerr << to_table(options, outcome, bars);
  std::cout << to_json(options, outcome, bars).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
            << std::endl;
  const bool correct =
      std::all_of(outcome.checks.begin(), outcome.checks.end(), [](const Check& c) { return c.ok; });
  const bool fast = std::all_of(bars.begin(), bars.end(), [](const Bar& bar) { return bar.pass(); });
  return correct && (fast || !line.gate) ? 0 : 1;
}

/// In a child, so that the folder is removed whatever becomes of the measurement.
Result<int> measure_in_child(const CommandLine& line) {
  std::string work = (fs::absolute(line.work) / "bench-cni.XXXXXX").string();
  if (::mkdtemp(work.data()) == nullptr) return fail_errno(errno, "make " + work);
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "fork");
  if (child == 0) {
    const Result<int> done = measure(line, work);
    if (!done) std::cerr << "bench_cni: " << done.error().message << '\n';
    std::cout.flush();
    ::_exit(done.value_or(1));
  }
  int status = 0;
  const bool waited = ::waitpid(child, &status, 0) == child;
  std::error_code error;
  fs::remove_all(work, error);
  if (error) return fail_errno(error.value(), "remove " + work);
  return waited && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && (std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-h") == 0)) {
    std::cout << kUsage;
    return 0;
  }
  const Result<CommandLine> line = parse(argc, argv);
  if (!line) {
    std::cerr << "bench_cni: " << line.error().message << "\n\n" << kUsage;
    return 2;
  }
  const Result<int> done = measure_in_child(*line);
  if (!done) std::cerr << "bench_cni: " << done.error().message << '\n';
  return done.value_or(1);
}

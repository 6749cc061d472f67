#include "cni-flannel/inspect/holdfast.h"

#include <filesystem>
#include <fstream>
#include <vector>

#include "cni-flannel/daemon/conditions.h"
#include "cni-flannel/inspect/daemon_report.h"
#include "common/base/read_only_files.h"
#include "common/base/version.h"
#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/log_lines.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::flannel {
namespace {

using holdfast::test::TemporaryFolder;

Answer ask(const std::vector<std::string>& arguments) {
  PosixFiles files;
  holdfast::test::FakeClock clock;
  return answer(files, clock, arguments, [](const std::string&) { return std::nullopt; });
}

TEST_CASE("Wrong arguments are named, with what would do, and are status 2", "[inspect]") {
  const std::vector<std::pair<std::vector<std::string>, std::string>> rows = {
      {{}, "tell what to do: status, doctor or explain"},
      {{"stats"}, "'stats' is none of status, doctor, explain, node, volume"},
      {{"explain"}, "explain takes one NODE, NAMESPACE/POD or ADDRESS"},
      {{"explain", "a", "b"}, "explain takes one NODE, NAMESPACE/POD or ADDRESS"},
      {{"status", "now"}, "status takes no further word"},
      {{"status", "--state-dir=relative"}, "is not a path that begins with '/'"},
      {{"status", "--colour"}, "--colour"},
  };
  for (const auto& [arguments, message] : rows) {
    DYNAMIC_SECTION(message) {
      const Answer got = ask(arguments);
      CHECK(got.status == 2);
      CHECK(got.out.empty());
      CHECK_THAT(got.error, Catch::StartsWith("holdfast: ") && Catch::Contains(message));
    }
  }
}

TEST_CASE("the flag --help tells every command and flag on standard output", "[inspect]") {
  const Answer got = ask({"--help"});
  CHECK(got.status == 0);
  for (const char* word :
       {"status", "doctor", "explain", "node forget", "--node-name", "--net-config-path", "--state-dir"}) {
    CHECK_THAT(got.out, Catch::Contains(word));
  }
}

TEST_CASE("the flag --version tells the program and its version", "[inspect]") {
  const Answer got = ask({"--version"});
  CHECK(got.status == 0);
  CHECK(got.out == "holdfast " + std::string(version()) + "\n");
}

// A machine without any file, on which nothing can be changed.
class NoFiles final : public Files {
 public:
  using Path = std::filesystem::path;
  Result<std::optional<std::string>> read(const Path&, std::size_t) override { return std::nullopt; }
  Result<std::vector<std::string>> list(const Path&) override { return std::vector<std::string>{}; }
  Status create(const Path&, std::string_view, mode_t) override { return no(); }
  Status append(const Path&, std::string_view, mode_t) override { return no(); }
  Status overwrite(const Path&, std::string_view, mode_t) override { return no(); }
  Status truncate(const Path&, std::size_t) override { return no(); }
  Status sync_file(const Path&) override { return no(); }
  Status sync_folder(const Path&) override { return no(); }
  Status rename(const Path&, const Path&) override { return no(); }
  Status rename_new(const Path&, const Path&) override { return no(); }
  Status remove(const Path&) override { return no(); }
  Status make_folders(const Path&, mode_t) override { return no(); }
  Result<Fd> lock(const Path&, std::chrono::milliseconds) override { return fail(Code::kUnavailable, "no"); }

 private:
  static Status no() { return fail(Code::kPermissionDenied, "no"); }
};

TEST_CASE("A node without flannel is told as one, and is well", "[inspect]") {
  NoFiles files;
  holdfast::test::FakeClock clock;
  const Answer got = answer(files, clock, std::vector<std::string>{"status"},
                            [](const std::string&) { return std::nullopt; });
  INFO(got.error);
  CHECK(got.status == 0);
  CHECK(got.out.starts_with(
      "flannel  is not on this node: no flanneld runs, and there is no /etc/kube-flannel"));
  CHECK(got.error.empty());
}

TEST_CASE("A configuration that is not there is named, with the flag that tells another", "[inspect]") {
  const TemporaryFolder folder;
  const Answer got = ask({"status", "--net-config-path=" + (folder / "net-conf.json").native()});
  CHECK(got.status == 1);
  CHECK_THAT(got.error, Catch::Contains("net-conf.json is not there; name another by --net-config-path"));
}

TEST_CASE("What flanneld reports of its conditions is read as it was meant", "[inspect]") {
  holdfast::test::LogLines log;
  holdfast::test::FakeClock clock;
  Conditions conditions(log, clock);
  for (const ConditionKind& kind :
       {kInterfaceFound, kLeaseKnown, kDeviceRight, kPeersProgrammed, kRulesInPlace, kSubnetFileWritten,
        kPeersGuarded, kStateStored, kSourceReachable}) {
    conditions.well(kind);
  }
  CHECK(parse_unmet(conditions.report() + "flanneld is ready\n").empty());
  conditions.unwell(kDeviceRight, "DeviceWrong", "it is gone: [-]why not (ready all the same), or: not");
  conditions.unwell(kCidrConflict, "RangesOverlap", "10.0.0.0/8 is all over");
  CHECK(parse_unmet(conditions.report() + "flanneld is not ready yet\n") ==
        std::vector<UnmetCondition>{
            {"CidrConflict", "10.0.0.0/8 is all over", true},
            {"DeviceRight", "it is gone: [-]why not (ready all the same), or: not", false}});
  CHECK(parse_unmet("<html>\n[-]\n[-] \n").size() == 2);
}

/// One flanneld, as /proc shows it.
struct FakeProc : TemporaryFolder {
  FakeProc() {
    namespace fs = std::filesystem;
    for (const char* one : {"7", "self"}) {
      fs::create_directories(*this / one / "ns");
      fs::create_symlink("mnt:[1]", *this / one / "ns/mnt");
    }
    fs::create_symlink(fs::read_symlink("/proc/self/ns/net"), *this / "7/ns/net");
    std::ofstream(*this / "7/comm") << "flanneld\n";
  }
  void write(const std::string& name, const std::vector<std::string>& words) const {
    std::ofstream file(*this / name);
    for (const std::string& word : words) file << word << '\0';
  }
};

TEST_CASE("What a running flanneld was told is read from its command line and environment", "[inspect]") {
  FakeProc proc;
  proc.write("7/cmdline", {"/bin/flanneld", "--healthz-port=9", "--state-dir=/told"});
  proc.write("7/environ",
             {"PATH=/", "NODE_NAME=edge-1", "FLANNELD_IP_MASQ=true", "FLANNELD_STATE_DIR=/other"});
  std::optional<DaemonRun> run = find_daemon_run(proc.path());
  REQUIRE(run.has_value());
  CHECK(run->pid == 7);
  REQUIRE(run->options.has_value());
  CHECK(run->options->healthz_port == 9);
  CHECK(run->options->state_dir == "/told");
  CHECK(run->options->node_name == "edge-1");
  CHECK(run->options->ip_masq);
  CHECK(run->same_files);
  CHECK(run->root.empty());

  // in a container its paths mean other files
  std::filesystem::remove(proc / "7/ns/mnt");
  std::filesystem::create_symlink("mnt:[2]", proc / "7/ns/mnt");
  run = find_daemon_run(proc.path());
  CHECK_FALSE(run->same_files);
  CHECK(run->root == proc / "7/root");
  // another program of that name
  proc.write("7/cmdline", {"/bin/flanneld", "--no-such-flag"});
  run = find_daemon_run(proc.path());
  REQUIRE(run.has_value());
  CHECK_FALSE(run->options.has_value());
  std::ofstream(proc / "7/comm") << "sleep\n";
  CHECK_FALSE(find_daemon_run(proc.path()).has_value());
}

TEST_CASE("A flanneld that cannot be asked is told apart from one that is not well", "[inspect]") {
  DaemonReport report;
  CHECK(state_of(report) == "does not run");
  CHECK(daemon_findings(report).front().verdict == Verdict::kDoubtful);
  report.run = DaemonRun{.pid = 7, .options = Options{}};
  report.silence = "it serves nothing";
  CHECK_FALSE(report.told());
  CHECK(daemon_findings(report).front().verdict == Verdict::kWell);  // as it was started
  report.run->options->healthz_port = 8081;
  CHECK(daemon_findings(report).front().verdict == Verdict::kDoubtful);
  report.silence.clear();
  report.unmet = {
      {"CidrConflict", "one", true}, {"StateStored", "two", true}, {"DeviceRight", "three", false}};
  CHECK(state_of(report) == "not ready: DeviceRight: three");
  std::vector<Verdict> verdicts;
  for (const Finding& finding : daemon_findings(report)) verdicts.push_back(finding.verdict);
  CHECK(verdicts ==
        std::vector<Verdict>{Verdict::kWrong, Verdict::kDoubtful, Verdict::kWrong, Verdict::kWrong});
  CHECK_FALSE(is_well(report));
}

TEST_CASE("A flanneld that is ready tells what is to be mended all the same", "[inspect]") {
  DaemonReport report{.run = DaemonRun{.pid = 7, .options = Options{}}, .ready = true};
  CHECK(state_of(report) == "ready");
  report.unmet = {{"CidrConflict", "one", true}};
  CHECK(state_of(report) == "ready");
  CHECK(is_well(report));
  const auto row = [&] { return daemon_findings(report).back(); };
  CHECK(row().verdict == Verdict::kDoubtful);
  report.unmet.push_back({"StateStored", "two", true});
  CHECK(state_of(report) == "ready, but StateStored: two");
  report.unmet.back() = {"ControllerFindsFault", "VtepMACUnique: 02:00:00:00:00:01 is b's: delete it", true};
  CHECK(state_of(report) ==
        "ready, but ControllerFindsFault: VtepMACUnique: 02:00:00:00:00:01 is b's: delete it");
  CHECK_FALSE(is_well(report));
  CHECK(row().verdict == Verdict::kWrong);
  CHECK(row().what == "flanneld: ControllerFindsFault");
}

TEST_CASE("Files that are only looked at refuse every change and stay as they are", "[files]") {
  const TemporaryFolder folder;
  PosixFiles real;
  ReadOnlyFiles files(real);
  REQUIRE(real.create(folder / "kept", "content", 0600));
  CHECK(files.read(folder / "kept", 100).value() == "content");
  CHECK(files.list(folder.path())->size() == 1);

  const std::vector<Status> refused = {files.create(folder / "new", "", 0600),
                                       files.append(folder / "kept", "more", 0600),
                                       files.overwrite(folder / "kept", "other", 0600),
                                       files.truncate(folder / "kept", 0),
                                       files.rename(folder / "kept", folder / "moved"),
                                       files.rename_new(folder / "kept", folder / "moved"),
                                       files.remove(folder / "kept"),
                                       files.make_folders(folder / "sub", 0700)};
  for (const Status& status : refused) {
    REQUIRE_FALSE(status);
    CHECK(status.error().code == Code::kPermissionDenied);
  }
  CHECK_FALSE(files.lock(folder / "lock", std::chrono::milliseconds(0)));
  CHECK(files.sync_file(folder / "kept"));
  CHECK(files.sync_folder(folder.path()));
  CHECK(real.read(folder / "kept", 100).value() == "content");
  CHECK(real.list(folder.path())->size() == 1);
}

}  // namespace
}  // namespace holdfast::flannel

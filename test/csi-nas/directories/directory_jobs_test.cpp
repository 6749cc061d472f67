#include "csi-nas/directories/directory_jobs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "csi-nas/directories/directory_worker.h"
#include "test/catch.h"
#include "test/csi-nas/directories/trees.h"

namespace holdfast::nas {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr milliseconds kAmple{30'000};
constexpr milliseconds kNone{0};

void refuses(const Result<std::string>& done, Code code, const std::string& part) {
  REQUIRE_FALSE(done.has_value());
  INFO(done.error().message);
  CHECK(done.error().code == code);
  CHECK(done.error().message.find(part) != std::string::npos);
}

struct Scene {
  DirectoryOrder order(DirectoryVerb verb, const std::string& name) const {
    return {.verb = verb, .mounted_at = share.root, .directory = name, .owner = "pv-" + name};
  }
  std::unique_ptr<DirectoryJobs> jobs(const std::string& program = NAS_DIRECTORIES,
                                      milliseconds quick_deadline = kAmple, bool mounted = false) {
    auto opened = DirectoryJobs::open(
        {.program = program, .folder = folder / "jobs", .quick_deadline = quick_deadline, .mounted = mounted},
        files, clock);
    REQUIRE(opened);
    return *std::move(opened);
  }
  std::string script(const std::string& text) {
    const fs::path path = folder / "script";
    test::write_file(path, "#!/bin/sh\n" + text);
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  /// The real program behind a gate: it waits in an open(2), as one of a dead server does.
  std::string gated() {
    REQUIRE(::mkfifo((folder / "gate").c_str(), 0600) == 0);
    return script("read -r line <" + (folder / "gate").native() + "\nexec " NAS_DIRECTORIES " \"$@\"\n");
  }
  void open_gate() const {
    const Fd gate(::open((folder / "gate").c_str(), O_WRONLY | O_CLOEXEC));
    REQUIRE(::write(gate.get(), "go\n", 3) == 3);
  }
  static Result<std::string> run(DirectoryJobs& jobs, const DirectoryOrder& order, milliseconds patience) {
    return jobs.run("id-" + order.directory, "10.0.0.5", order, patience);
  }

  holdfast::test::TemporaryFolder folder;
  test::Share share{folder.path()};
  PosixFiles files;
  SystemClock clock;
};

TEST_CASE_METHOD(Scene, "a work that is short is answered at once, and again when it is asked again",
                 "[nas]") {
  const auto works = jobs();
  REQUIRE(run(*works, order(DirectoryVerb::kMake, "a"), kAmple));
  REQUIRE(run(*works, order(DirectoryVerb::kMake, "a"), kAmple));
  test::plant(share.root / "a", 20);
  DirectoryOrder archive = order(DirectoryVerb::kArchive, "a");
  archive.stamp = "20261121T231500Z";
  const auto archived = run(*works, archive, kAmple);
  REQUIRE(archived);
  archive.stamp = "20261121T231501Z";
  CHECK(run(*works, archive, kAmple).value() == *archived);
  CHECK(fs::exists(share.root / *archived / "d0" / "f0"));
  CHECK(works->running() == 0);
}

TEST_CASE_METHOD(Scene, "why a work failed is told once, and then it is tried anew", "[nas]") {
  const auto works = jobs();
  fs::create_directory(share.root / "by-hand");
  const DirectoryOrder removal = order(DirectoryVerb::kRemove, "by-hand");
  refuses(run(*works, removal, kAmple), Code::kFailedPrecondition, "remove by-hand: the directory 'by-hand'");
  fs::remove(share.root / "by-hand");
  CHECK(run(*works, removal, kAmple));
}

TEST_CASE_METHOD(Scene, "a work that takes long is told of until it is done, and others wait for their turn",
                 "[nas]") {
  const auto works = jobs(gated());
  const DirectoryOrder make = order(DirectoryVerb::kMake, "a");
  refuses(run(*works, make, kNone), Code::kAborted, "make a is under way: 0 entries");
  refuses(run(*works, make, milliseconds(1)), Code::kAborted, "make a is under way");
  refuses(run(*works, order(DirectoryVerb::kRemove, "a"), kNone), Code::kAborted, "make a is under way");
  refuses(run(*works, order(DirectoryVerb::kMake, "b"), kNone), Code::kAborted,
          "b waits for its turn: make a");
  CHECK(works->running() == 1);
  open_gate();
  CHECK(run(*works, make, kAmple));
  CHECK(works->running() == 0);
}

TEST_CASE_METHOD(Scene, "a work goes on without us and is found again after a restart", "[nas]") {
  const std::string program = gated();
  const DirectoryOrder make = order(DirectoryVerb::kMake, "a");
  refuses(run(*jobs(program), make, kNone), Code::kAborted, "under way");
  const auto works = jobs();
  refuses(run(*works, make, kAmple), Code::kAborted, "make a is under way since before a restart");
  refuses(run(*works, order(DirectoryVerb::kMake, "b"), kAmple), Code::kAborted, "before a restart");
  CHECK(works->running() == 1);
  open_gate();
  while (works->running() != 0) std::this_thread::yield();
  CHECK(fs::exists(share.root / "a"));
  CHECK(run(*works, make, kAmple));
}

TEST_CASE_METHOD(Scene, "who we are on the shares outlives us", "[nas]") {
  const auto holder = [this] {
    REQUIRE_FALSE(run(*jobs(), order(DirectoryVerb::kCopy, "none"), kAmple));
    return test::read_file(folder / "jobs" / "holder");
  };
  const std::string first = holder();
  CHECK(first == holder());
}

TEST_CASE_METHOD(Scene, "a child that ends without a word is no success", "[nas]") {
  const auto works = jobs(script("kill -9 $$\n"));
  refuses(run(*works, order(DirectoryVerb::kMake, "a"), kAmple), Code::kUnavailable, "ended by signal 9");
  CHECK(works->running() == 0);
  const auto missing = jobs((folder / "nothing").native());
  refuses(run(*missing, order(DirectoryVerb::kMake, "a"), kAmple), Code::kUnavailable, "make a: run");
}

TEST_CASE_METHOD(Scene, "a child that only makes a directory is killed when it hangs, and its turn passes on",
                 "[nas]") {
  const auto works = jobs(gated(), milliseconds(1));
  Result<std::string> done = run(*works, order(DirectoryVerb::kMake, "a"), milliseconds(5));
  while (!done && done.error().code == Code::kAborted) {
    done = run(*works, order(DirectoryVerb::kMake, "a"), milliseconds(5));
  }
  refuses(done, Code::kUnavailable, "ended by signal 9");
}

TEST_CASE_METHOD(Scene, "a work that is given up is killed, and can be done anew", "[nas]") {
  const auto works = jobs(gated());
  const DirectoryOrder make = order(DirectoryVerb::kMake, "a");
  refuses(run(*works, make, kNone), Code::kAborted, "under way");
  works->give_up("id-b");
  refuses(run(*works, make, kNone), Code::kAborted, "under way");
  works->give_up("id-a");
  refuses(run(*works, make, kAmple), Code::kUnavailable, "ended by signal 9");
  refuses(run(*works, make, kNone), Code::kAborted, "under way");
  open_gate();
  CHECK(run(*works, make, kAmple));
}

TEST_CASE_METHOD(Scene, "a child that is to end with us works for us, and for nobody else", "[nas]") {
  auto works = DirectoryJobs::open(
      {.program = NAS_DIRECTORIES, .folder = folder / "jobs", .mounted = false, .end_with_us = true}, files,
      clock);
  REQUIRE(works);
  CHECK(run(**works, order(DirectoryVerb::kMake, "a"), kAmple));
  std::vector<std::string> words = to_words(order(DirectoryVerb::kMake, "b"));
  words.push_back(std::string(kEndWith) + "0");
  CHECK(run_directory_worker(words) == 2);
  CHECK_FALSE(fs::exists(share.root / "b"));
}

TEST_CASE_METHOD(Scene, "many threads may ask at once", "[nas]") {
  const auto works = jobs();
  std::vector<std::thread> threads;
  constexpr int kThreads = 6;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      // Two of them ask for one volume.
      const DirectoryOrder make = order(DirectoryVerb::kMake, "v" + std::to_string(i / 2));
      while (!run(*works, make, milliseconds(200))) std::this_thread::yield();
    });
  }
  for (std::thread& each : threads) each.join();
  CHECK(test::told(share.root).size() == kThreads / 2);
}

TEST_CASE_METHOD(Scene, "nothing is made where the share is mounted no longer", "[nas]") {
  const auto works = jobs(NAS_DIRECTORIES, kAmple, true);
  const auto done = run(*works, order(DirectoryVerb::kMake, "v1"), kAmple);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Code::kUnavailable);
  CHECK(done.error().message.find("no longer mounted") != std::string::npos);
  CHECK(fs::is_empty(share.root));
}

TEST_CASE("an order is the same when it comes out of the words it was told by", "[nas]") {
  const DirectoryOrder order{.verb = DirectoryVerb::kCopy,
                             .mounted_at = "/mnt/a b",
                             .directory = "a\nb/c=d",
                             .snapshot = true,
                             .owner = "pv=1",
                             .source = "team a/x",
                             .from_snapshot = true,
                             .mode = 02750,
                             .stamp = "20261121T231500Z",
                             .holder = "abc"};
  const auto read = parse_words(to_words(order));
  REQUIRE(read);
  CHECK(to_words(*read) == to_words(order));
  CHECK(read->directory == order.directory);
  CHECK(read->mode == order.mode);
  for (const char* word :
       {"", "verb=eat", "mode=8", "mode=77777", "snapshot=yes", "colour=blue", "directory"}) {
    DYNAMIC_SECTION("'" << word << "'") {
      const std::vector<std::string> words{word};
      CHECK(parse_words(words).has_value() == (std::string(word) == "directory"));
    }
  }
}

TEST_CASE("a record is read as it was written, and a torn one is none", "[nas]") {
  const JobRecord record{
      .state = JobRecord::State::kFailed,
      .lane = "10.0.0.5 long",
      .work = std::string(1000, '"'),
      .progress = {.entries = 7, .bytes = 1ULL << 40},
      .answer = {},
      .error = {.code = Code::kDataLoss, .sys_errno = 5, .message = std::string(9000, '\\')}};
  std::string text = to_text(record);
  CHECK(text.size() == to_text({}).size());
  const auto read = parse_record(text);
  REQUIRE(read);
  CHECK(read->state == record.state);
  CHECK(read->lane == record.lane);
  CHECK(read->progress.bytes == record.progress.bytes);
  CHECK(read->error.code == Code::kDataLoss);
  CHECK(read->error.sys_errno == 5);
  text[text.find("entries")] = 'E';
  CHECK_FALSE(parse_record(text));
  CHECK_FALSE(parse_record(""));
  CHECK_FALSE(parse_record("holdfast-job v1 crc32c=00000000 {}"));
}

}  // namespace
}  // namespace holdfast::nas

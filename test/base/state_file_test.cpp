#include "common/base/state_file.h"

#include <algorithm>
#include <span>

#include "common/base/checksum.h"
#include "test/catch.h"
#include "test/fakes/recording_files.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast {
namespace {

namespace fs = std::filesystem;
using test::kAllLosses;
using test::Killed;
using test::KillPoint;
using test::Loss;
using test::RecordingFiles;
using test::TemporaryFolder;

constexpr std::size_t kPlenty = 1 << 20;
constexpr StateKind kLease{"subnet-lease", 2};

std::optional<std::string> content(const fs::path& path) { return PosixFiles().read(path, kPlenty).value(); }

std::vector<std::string> names(const fs::path& folder) {
  std::vector<std::string> out = PosixFiles().list(folder).value();
  std::ranges::sort(out);
  return out;
}

using Replace = Status (*)(Files&, const fs::path&, std::string_view);

// What a power cut at `step` of `replace` leaves at "state", for every loss; nullopt where the file is gone.
std::vector<std::optional<std::string>> after_power_cuts(Replace replace) {
  const TemporaryFolder folder;
  REQUIRE(PosixFiles().create(folder / "state", "old", 0600));
  RecordingFiles files(folder.path());
  REQUIRE(replace(files, folder / "state", "new content"));
  std::vector<std::optional<std::string>> found;
  for (std::size_t step = 0; step <= files.steps(); ++step) {
    for (const Loss loss : kAllLosses) {
      const TemporaryFolder left;
      REQUIRE(files.rebuild(step, loss, left.path()));
      found.push_back(content(left / "state"));
    }
  }
  return found;
}

bool durable(const std::vector<std::optional<std::string>>& found) {
  const bool whole =
      std::ranges::all_of(found, [](const auto& c) { return c == "old" || c == "new content"; });
  const auto last = std::span(found).last(kAllLosses.size());
  return whole && std::ranges::all_of(last, [](const auto& c) { return c == "new content"; });
}

TEST_CASE(
    "replace_file leaves the old or the new content at every power cut, and the new one once it answered",
    "[state_file]") {
  CHECK(durable(after_power_cuts([](Files& files, const fs::path& path, std::string_view bytes) {
    return replace_file(files, path, bytes);
  })));
}

TEST_CASE("a power cut shows a replace that forgot a sync", "[state_file]") {
  CHECK_FALSE(
      durable(after_power_cuts([](Files& files, const fs::path& path, std::string_view bytes) -> Status {
        const fs::path temporary = path.parent_path() / ".new";
        HOLDFAST_CHECK(files.create(temporary, bytes, 0600));
        HOLDFAST_CHECK(files.rename(temporary, path));
        return files.sync_folder(path.parent_path());
      })));
  CHECK_FALSE(
      durable(after_power_cuts([](Files& files, const fs::path& path, std::string_view bytes) -> Status {
        const fs::path temporary = path.parent_path() / ".new";
        HOLDFAST_CHECK(files.create(temporary, bytes, 0600));
        HOLDFAST_CHECK(files.sync_file(temporary));
        return files.rename(temporary, path);
      })));
  CHECK_FALSE(
      durable(after_power_cuts([](Files& files, const fs::path& path, std::string_view bytes) -> Status {
        HOLDFAST_CHECK(files.truncate(path, 0));
        HOLDFAST_CHECK(files.append(path, bytes, 0600));
        HOLDFAST_CHECK(files.sync_file(path));
        return files.sync_folder(path.parent_path());
      })));
}

TEST_CASE("a killed writer is followed by one that succeeds and leaves no temporary", "[state_file]") {
  std::size_t points = 0;
  for (std::size_t step = 1; step <= 4; ++step) {
    for (const KillPoint point : {KillPoint::kBefore, KillPoint::kHalfWay, KillPoint::kAfter}) {
      DYNAMIC_SECTION("step " << step << ", point " << static_cast<int>(point)) {
        const TemporaryFolder folder;
        REQUIRE(PosixFiles().create(folder / "state", "old", 0600));
        RecordingFiles files(folder.path());
        files.kill_at(step, point);
        CHECK_THROWS_AS(replace_file(files, folder / "state", "new"), Killed);
        CHECK((content(folder / "state") == "old" || content(folder / "state") == "new"));
        PosixFiles again;
        REQUIRE(replace_file(again, folder / "state", "newer"));
        CHECK(content(folder / "state") == "newer");
        CHECK(names(folder.path()) == std::vector<std::string>{"state"});
      }
      ++points;
    }
  }
  CHECK(points == 12);
}

TEST_CASE("replace_file makes four calls", "[state_file]") {
  const TemporaryFolder folder;
  RecordingFiles files(folder.path());
  REQUIRE(replace_file(files, folder / "state", "1"));
  CHECK(files.transcript() ==
        "1 create .state.new (1 bytes)\n2 sync_file .state.new\n3 rename .state.new -> state\n4 sync_folder "
        ".\n");
}

TEST_CASE("a failing call is told, keeps the old content and leaves no temporary", "[state_file]") {
  for (std::size_t call = 1; call <= 4; ++call) {
    DYNAMIC_SECTION("call " << call) {
      const TemporaryFolder folder;
      REQUIRE(PosixFiles().create(folder / "state", "old", 0600));
      RecordingFiles files(folder.path());
      files.fail_call(call, ENOSPC);
      const Status failed = replace_file(files, folder / "state", "new");
      REQUIRE_FALSE(failed);
      CHECK(failed.error().code == Code::kResourceExhausted);
      CHECK(content(folder / "state") == (call < 4 ? "old" : "new"));
      CHECK(names(folder.path()) == std::vector<std::string>{"state"});
    }
  }
}

TEST_CASE("a state comes back as it was written", "[state_file]") {
  const TemporaryFolder folder;
  PosixFiles files;
  for (const std::string& text : {std::string("{\"a\": 1}\n"), std::string(), std::string("\n\0x", 3)}) {
    REQUIRE(write_state(files, folder / "s", kLease, text));
    const StateFile read = read_state(files, folder / "s", kLease).value();
    CHECK(read.content == text);
    CHECK(read.note.empty());
  }
  CHECK(names(folder.path()) == std::vector<std::string>{"s"});
}

TEST_CASE("the envelope is one readable line", "[state_file]") {
  const TemporaryFolder folder;
  PosixFiles files;
  REQUIRE(write_state(files, folder / "s", kLease, "{}\n"));
  CHECK_THAT(*content(folder / "s"),
             Catch::Matches("holdfast-state subnet-lease v2 3 crc32c=[0-9a-f]{8}\n\\{\\}\n"));
}

TEST_CASE("no file is no state and no note", "[state_file]") {
  const TemporaryFolder folder;
  PosixFiles files;
  const StateFile read = read_state(files, folder / "s", kLease).value();
  CHECK_FALSE(read.content.has_value());
  CHECK(read.note.empty());
}

TEST_CASE("every cut and every flipped bit of a state file is found and moved aside", "[state_file]") {
  const TemporaryFolder folder;
  PosixFiles files;
  REQUIRE(write_state(files, folder / "s", kLease, "{\"net\":\"10.0.0.0/16\"}"));
  const std::string whole = *content(folder / "s");
  std::vector<std::string> damaged;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    damaged.emplace_back(whole, 0, i);
    damaged.push_back(whole);
    damaged.back()[i] = static_cast<char>(damaged.back()[i] ^ 1);
  }
  damaged.push_back(whole + "x");
  damaged.emplace_back(whole.size(), '\0');
  for (const std::string& bytes : damaged) {
    REQUIRE(files.remove(folder / "s"));
    REQUIRE(files.create(folder / "s", bytes, 0600));
    const StateFile read = read_state(files, folder / "s", kLease).value();
    CHECK_FALSE(read.content.has_value());
    CHECK_THAT(read.note, Catch::Contains("is damaged") && Catch::Contains("moved to"));
    CHECK_FALSE(fs::exists(folder / "s"));
  }
}

TEST_CASE("the note says what was wrong", "[state_file]") {
  const TemporaryFolder folder;
  PosixFiles files;
  struct Case {
    const char* name;
    std::string bytes;
    const char* why;
  };
  REQUIRE(write_state(files, folder / "v3", {"subnet-lease", 3}, "x"));
  REQUIRE(write_state(files, folder / "other", {"subnet-leases", 2}, "x"));
  REQUIRE(write_state(files, folder / "good", kLease, "content"));
  const std::string good = *content(folder / "good");
  const Case cases[] = {
      {"empty", "", "(empty)"},
      {"foreign", "{\"kind\":\n", "(begins with '{\"kind\":', expected 'holdfast-state subnet-lease v2 ')"},
      {"newer version", *content(folder / "v3"), "expected 'holdfast-state subnet-lease v2 '"},
      {"other kind", *content(folder / "other"), "(begins with 'holdfast-state subnet-leases v2"},
      {"torn", good.substr(0, good.size() - 2), "(torn, of 5 bytes)"},
      {"torn in its envelope", good.substr(0, 9), "(no state file of ours, or torn in its first line)"},
      {"rotten", good.substr(0, good.size() - 1) + "?", "(wrong checksum)"},
      {"too long", std::string(kPlenty, 'x'), "longer than 1000 bytes"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      REQUIRE(files.create(folder / "s", c.bytes, 0600));
      const StateFile read = read_state(files, folder / "s", kLease, 1000).value();
      CHECK_FALSE(read.content.has_value());
      CHECK_THAT(read.note, Catch::Contains(c.why));
      CHECK(content(folder / "s.damaged-1") == c.bytes);
    }
  }
}

TEST_CASE("a link or a folder in the file's place is moved aside, not followed", "[state_file]") {
  const TemporaryFolder folder;
  PosixFiles files;
  REQUIRE(write_state(files, folder / "elsewhere", kLease, "x"));
  fs::create_symlink("elsewhere", folder / "s");
  CHECK_FALSE(read_state(files, folder / "s", kLease).value().content.has_value());
  CHECK(fs::is_symlink(folder / "s.damaged-1"));
  fs::create_directory(folder / "s");
  CHECK_FALSE(read_state(files, folder / "s", kLease).value().content.has_value());
  REQUIRE(write_state(files, folder / "s", kLease, "y"));
  CHECK(read_state(files, folder / "s", kLease).value().content == "y");
  CHECK(read_state(files, folder / "elsewhere", kLease).value().content == "x");
}

TEST_CASE("of damaged files the newest three are kept, the oldest first", "[state_file]") {
  const TemporaryFolder folder;
  PosixFiles files;
  for (const char* bytes : {"one", "two", "three", "four", "five"}) {
    REQUIRE(files.create(folder / "s", bytes, 0600));
    REQUIRE(read_state(files, folder / "s", kLease));
  }
  CHECK(names(folder.path()) == std::vector<std::string>{"s.damaged-1", "s.damaged-2", "s.damaged-3"});
  CHECK(content(folder / "s.damaged-1") == "three");
  CHECK(content(folder / "s.damaged-2") == "four");
  CHECK(content(folder / "s.damaged-3") == "five");
}

TEST_CASE("a damaged file that cannot be moved is still not trusted", "[state_file]") {
  const TemporaryFolder folder;
  REQUIRE(PosixFiles().create(folder / "s", "junk", 0600));
  RecordingFiles files(folder.path());
  files.fail_call(2, EROFS);
  const StateFile read = read_state(files, folder / "s", kLease).value();
  CHECK_FALSE(read.content.has_value());
  CHECK_THAT(read.note,
             Catch::Contains("and stays where it is: ") && Catch::Contains("Read-only file system"));
}

TEST_CASE("a read that fails is an error, and the file stays", "[state_file]") {
  const TemporaryFolder folder;
  REQUIRE(PosixFiles().create(folder / "s", "junk", 0600));
  RecordingFiles files(folder.path());
  files.fail_call(1, EIO);
  CHECK(read_state(files, folder / "s", kLease).error().code == Code::kDataLoss);
  CHECK(fs::exists(folder / "s"));
}

}  // namespace
}  // namespace holdfast

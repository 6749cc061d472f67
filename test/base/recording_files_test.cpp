#include "test/fakes/recording_files.h"

#include <map>

#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using Tree = std::map<std::string, std::string>;  // relative path -> content, "/" for a folder

constexpr std::size_t kPlenty = 1 << 20;

Tree tree_of(const fs::path& folder) {
  PosixFiles files;
  Tree out;
  for (const auto& found : fs::recursive_directory_iterator(folder)) {
    const std::string name = found.path().lexically_relative(folder);
    out[name] = found.is_directory() ? "/" : files.read(found.path(), kPlenty).value().value();
  }
  return out;
}

Tree left_after(const RecordingFiles& files, std::size_t step, Loss loss) {
  const TemporaryFolder left;
  REQUIRE(files.rebuild(step, loss, left.path()));
  return tree_of(left.path());
}

TEST_CASE("what was there at the start survives a power cut, what came later needs its syncs",
          "[recording]") {
  const TemporaryFolder folder;
  REQUIRE(PosixFiles().make_folders(folder / "d", 0700));
  REQUIRE(PosixFiles().create(folder / "d/old", "old", 0600));
  RecordingFiles files(folder.path());
  REQUIRE(files.create(folder / "d/new", "content", 0600));

  SECTION("nothing synced") {
    CHECK(left_after(files, 1, Loss::kAllUnsynced) == Tree{{"d", "/"}, {"d/old", "old"}});
    CHECK(left_after(files, 1, Loss::kNamesSurvive) == Tree{{"d", "/"}, {"d/old", "old"}, {"d/new", ""}});
    CHECK(left_after(files, 1, Loss::kTorn) == Tree{{"d", "/"}, {"d/old", "old"}, {"d/new", "con"}});
    CHECK(left_after(files, 1, Loss::kZeroed) ==
          Tree{{"d", "/"}, {"d/old", "old"}, {"d/new", std::string(7, '\0')}});
  }
  SECTION("only the content synced: no name") {
    REQUIRE(files.sync_file(folder / "d/new"));
    CHECK(left_after(files, 2, Loss::kAllUnsynced) == Tree{{"d", "/"}, {"d/old", "old"}});
    CHECK(left_after(files, 2, Loss::kTorn) == Tree{{"d", "/"}, {"d/old", "old"}, {"d/new", "content"}});
  }
  SECTION("only the name synced: no content") {
    REQUIRE(files.sync_folder(folder / "d"));
    CHECK(left_after(files, 2, Loss::kAllUnsynced) == Tree{{"d", "/"}, {"d/old", "old"}, {"d/new", ""}});
  }
  SECTION("both synced") {
    REQUIRE(files.sync_file(folder / "d/new"));
    REQUIRE(files.sync_folder(folder / "d"));
    for (const Loss loss : kAllLosses) {
      CHECK(left_after(files, 3, loss) == Tree{{"d", "/"}, {"d/old", "old"}, {"d/new", "content"}});
    }
    CHECK(left_after(files, 0, Loss::kTorn) == Tree{{"d", "/"}, {"d/old", "old"}});
  }
}

TEST_CASE("an append that was not synced is lost, torn or zeroed behind what was synced", "[recording]") {
  const TemporaryFolder folder;
  REQUIRE(PosixFiles().create(folder / "log", "one\n", 0600));
  RecordingFiles files(folder.path());
  REQUIRE(files.append(folder / "log", "two\n", 0600));

  CHECK(left_after(files, 1, Loss::kAllUnsynced) == Tree{{"log", "one\n"}});
  CHECK(left_after(files, 1, Loss::kNamesSurvive) == Tree{{"log", "one\n"}});
  CHECK(left_after(files, 1, Loss::kTorn) == Tree{{"log", "one\ntw"}});
  CHECK(left_after(files, 1, Loss::kZeroed) == Tree{{"log", std::string("one\n\0\0\0\0", 8)}});
  REQUIRE(files.sync_file(folder / "log"));
  CHECK(left_after(files, 2, Loss::kTorn) == Tree{{"log", "one\ntwo\n"}});
  REQUIRE(files.truncate(folder / "log", 2));
  CHECK(left_after(files, 3, Loss::kAllUnsynced) == Tree{{"log", "one\ntwo\n"}});
  CHECK(left_after(files, 3, Loss::kTorn) == Tree{{"log", "on"}});
}

TEST_CASE(
    "an overwrite that was not synced is lost or torn, one that is killed half way has new bytes before old",
    "[recording]") {
  const TemporaryFolder folder;
  REQUIRE(PosixFiles().create(folder / "hint", "10.0.0.100", 0600));
  RecordingFiles files(folder.path());
  REQUIRE(files.overwrite(folder / "hint", "10.0.0.2", 0600));
  CHECK(left_after(files, 1, Loss::kAllUnsynced) == Tree{{"hint", "10.0.0.100"}});
  CHECK(left_after(files, 1, Loss::kZeroed) == Tree{{"hint", std::string("10.0.0.\0", 8)}});
  files.kill_at(2, KillPoint::kHalfWay);
  CHECK_THROWS_AS(files.overwrite(folder / "hint", "99999999", 0600), Killed);
  CHECK(PosixFiles().read(folder / "hint", 100).value() == "9999.0.2");
}

TEST_CASE("removals and renames are undone until their folder is synced", "[recording]") {
  const TemporaryFolder folder;
  REQUIRE(PosixFiles().make_folders(folder / "a", 0700));
  REQUIRE(PosixFiles().make_folders(folder / "b", 0700));
  REQUIRE(PosixFiles().create(folder / "a/x", "x", 0600));
  REQUIRE(PosixFiles().create(folder / "a/y", "y", 0600));
  RecordingFiles files(folder.path());
  REQUIRE(files.remove(folder / "a/y"));
  REQUIRE(files.rename(folder / "a/x", folder / "b/x"));

  CHECK(left_after(files, 2, Loss::kAllUnsynced) == Tree{{"a", "/"}, {"b", "/"}, {"a/x", "x"}, {"a/y", "y"}});
  CHECK(left_after(files, 2, Loss::kNamesSurvive) == Tree{{"a", "/"}, {"b", "/"}, {"b/x", "x"}});
  SECTION("the new folder first: under both names in between") {
    REQUIRE(files.sync_folder(folder / "b"));
    CHECK(left_after(files, 3, Loss::kAllUnsynced) ==
          Tree{{"a", "/"}, {"b", "/"}, {"a/x", "x"}, {"a/y", "y"}, {"b/x", "x"}});
  }
  SECTION("the old folder first: under no name in between") {
    REQUIRE(files.sync_folder(folder / "a"));
    CHECK(left_after(files, 3, Loss::kAllUnsynced) == Tree{{"a", "/"}, {"b", "/"}});
  }
}

TEST_CASE("folders are durable when made_folders answers, what is put into them is not", "[recording]") {
  const TemporaryFolder folder;
  RecordingFiles files(folder.path());
  REQUIRE(files.make_folders(folder / "p/q", 0700));
  REQUIRE(files.create(folder / "p/q/f", "f", 0600));
  { REQUIRE(files.lock(folder / "p/lock", std::chrono::milliseconds(0))); }

  CHECK(files.steps() == 3);
  CHECK(left_after(files, 3, Loss::kAllUnsynced) == Tree{{"p", "/"}, {"p/q", "/"}});
  CHECK(left_after(files, 3, Loss::kNamesSurvive) ==
        Tree{{"p", "/"}, {"p/q", "/"}, {"p/q/f", ""}, {"p/lock", ""}});
}

TEST_CASE("with all losses off, the rebuilt folder is the real one", "[recording]") {
  const TemporaryFolder folder;
  RecordingFiles files(folder.path());
  REQUIRE(files.make_folders(folder / "s", 0700));
  REQUIRE(files.create(folder / "s/.new", "v1", 0600));
  REQUIRE(files.sync_file(folder / "s/.new"));
  REQUIRE(files.rename_new(folder / "s/.new", folder / "s/state"));
  REQUIRE(files.append(folder / "s/state", "v2", 0600));
  REQUIRE(files.sync_file(folder / "s/state"));
  REQUIRE_FALSE(files.create(folder / "s/state", "refused", 0600));
  REQUIRE(files.sync_folder(folder / "s"));

  CHECK(left_after(files, files.steps(), Loss::kAllUnsynced) == tree_of(folder.path()));
  CHECK(files.transcript() ==
        "1 make_folders s\n2 create s/.new (2 bytes)\n3 sync_file s/.new\n4 rename_new s/.new -> s/state\n"
        "5 append s/state (2 bytes)\n6 sync_file s/state\n7 create s/state (7 bytes) failed\n8 sync_folder "
        "s\n");
}

TEST_CASE("a planned failure hits its call only and changes nothing", "[recording]") {
  const TemporaryFolder folder;
  RecordingFiles files(folder.path());
  files.fail_call(2, EIO);
  CHECK(files.create(folder / "a", "a", 0600));
  const Status failed = files.create(folder / "b", "b", 0600);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().sys_errno == EIO);
  CHECK(files.create(folder / "c", "c", 0600));
  CHECK(tree_of(folder.path()) == Tree{{"a", "a"}, {"c", "c"}});
}

TEST_CASE("on a full disk nothing can be added but all can be removed", "[recording]") {
  const TemporaryFolder folder;
  RecordingFiles files(folder.path());
  REQUIRE(files.create(folder / "a", "a", 0600));
  files.fill_disk_at(2);
  CHECK(files.create(folder / "b", "b", 0600).error().code == Code::kResourceExhausted);
  CHECK(files.append(folder / "a", "b", 0600).error().code == Code::kResourceExhausted);
  CHECK(files.make_folders(folder / "d", 0700).error().code == Code::kResourceExhausted);
  CHECK(files.lock(folder / "lock", std::chrono::milliseconds(0)).error().code == Code::kResourceExhausted);
  CHECK(files.lock(folder / "a", std::chrono::milliseconds(0)));
  CHECK(files.remove(folder / "a"));
  CHECK(tree_of(folder.path()).empty());
}

TEST_CASE("a killed process leaves what it did and does nothing more", "[recording]") {
  struct Case {
    const char* name;
    KillPoint point;
    Tree left;
  };
  const Case cases[] = {
      {"before", KillPoint::kBefore, {{"a", "aa"}}},
      {"half way", KillPoint::kHalfWay, {{"a", "aa"}, {"b", "b"}}},
      {"after", KillPoint::kAfter, {{"a", "aa"}, {"b", "bb"}}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const TemporaryFolder folder;
      RecordingFiles files(folder.path());
      files.kill_at(2, c.point);
      REQUIRE(files.create(folder / "a", "aa", 0600));
      REQUIRE(files.read(folder / "a", kPlenty));  // no step
      CHECK_THROWS_AS(files.create(folder / "b", "bb", 0600), Killed);
      CHECK_FALSE(files.remove(folder / "a"));
      CHECK_FALSE(files.read(folder / "a", kPlenty));
      CHECK(tree_of(folder.path()) == c.left);
    }
  }
}

TEST_CASE("a path outside the recorded folder is refused", "[recording]") {
  const TemporaryFolder folder;
  RecordingFiles files(folder.path());
  CHECK(files.create("/nowhere/else", "", 0600).error().code == Code::kInvalidArgument);
  CHECK(files.rename(folder / "a", folder / "../b").error().code == Code::kInvalidArgument);
}

TEST_CASE("adopt takes changes made behind its back as durable", "[recording]") {
  const TemporaryFolder folder;
  RecordingFiles files(folder.path());
  REQUIRE(PosixFiles().create(folder / "planted", "p", 0600));
  files.adopt();
  REQUIRE(files.append(folder / "planted", "q", 0600));
  CHECK(left_after(files, 1, Loss::kAllUnsynced) == Tree{{"planted", "p"}});
}

}  // namespace
}  // namespace holdfast::test

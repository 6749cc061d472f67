#include "csi-nas/directories/share_volumes.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/base/sha.h"
#include "test/catch.h"
#include "test/csi-nas/directories/trees.h"

namespace holdfast::nas {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStamp = "20261121T231500Z";
constexpr const char* kLater = "20261122T000000Z";

VolumeDirectory volume(const std::string& directory, const std::string& owner) {
  return {.directory = RelativePath::parse(directory).value(), .owner = owner};
}

void refuses(const Status& done, Code code) {
  REQUIRE_FALSE(done.has_value());
  INFO(done.error().message);
  CHECK(done.error().code == code);
}

struct Scene {
  [[nodiscard]] ShareVolumes volumes(const std::string& holder = "h1") const { return {root, holder, {}}; }
  [[nodiscard]] std::vector<std::string> own() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(share.root / ".holdfast")) {
      names.push_back(entry.path().filename().native());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  static std::string claim_of(const std::string& directory) { return sha512_hex(directory).substr(0, 24); }
  [[nodiscard]] bool there(const fs::path& path) const { return fs::exists(share.root / path); }

  holdfast::test::TemporaryFolder folder;
  test::Share share{folder.path()};
  ShareRoot root = ShareRoot::open(share.root).value();
  VolumeDirectory one = volume("team-a/pvc-1", "pv-1");
};

TEST_CASE("a directory is below the share and no other way", "[nas]") {
  struct Case {
    const char* name;
    std::string text;
    const char* path;  // null: refused
  };
  const Case cases[] = {{"a name", "pvc-1", "pvc-1"},
                        {"slashes", "/a//b/", "a/b"},
                        {"a newline", "a\nb", "a\nb"},
                        {"three dots", "a/.../b", "a/.../b"},
                        {"nothing", "", nullptr},
                        {"the root", "///", nullptr},
                        {"up", "a/../../b", nullptr},
                        {"up at the end", "a/..", nullptr},
                        {"here", "a/./b", nullptr},
                        {"zero byte", std::string("a\0b", 3), nullptr},
                        {"256 bytes", std::string(256, 'x'), nullptr},
                        {"255 bytes", std::string(255, 'x'), "255"},
                        {"ours", ".holdfast/claims", nullptr},
                        {"ours, deeper", "a/.holdfast/b", nullptr},
                        {"like ours", ".holdfast2", ".holdfast2"}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto path = RelativePath::parse(c.text);
      REQUIRE(path.has_value() == (c.path != nullptr));
      if (c.path == nullptr) CHECK(path.error().code == Code::kInvalidArgument);
      if (c.path != nullptr && std::string(c.path) != "255") CHECK(path->text() == c.path);
    }
  }
}

TEST_CASE_METHOD(Scene, "a volume is made whole, with its mode, and is the same when it is made again",
                 "[nas]") {
  REQUIRE(volumes().make(one, 02770));
  struct stat info {};
  REQUIRE(::stat((share.root / "team-a/pvc-1").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 02770);
  test::write_file(share.root / "team-a/pvc-1/file", "data");
  REQUIRE(volumes().make(one, 0777));
  REQUIRE(volumes("h2").make(one, 0777));
  CHECK(test::read_file(share.root / "team-a/pvc-1/file") == "data");
  CHECK(own() == std::vector<std::string>{"claims"});
}

TEST_CASE_METHOD(Scene, "a directory is one volume's only, and none that is there is taken over", "[nas]") {
  REQUIRE(volumes().make(one, 0777));
  refuses(volumes().make(volume("team-a/pvc-1", "pv-2"), 0777), Code::kAlreadyExists);
  fs::create_directory(share.root / "by-hand");
  refuses(volumes().make(volume("by-hand", "pv-2"), 0777), Code::kAlreadyExists);
  refuses(volumes().make(volume("by-hand", "pv-2"), 0777), Code::kAlreadyExists);
}

TEST_CASE_METHOD(Scene, "a directory that is no volume's is neither removed nor archived", "[nas]") {
  fs::create_directory(share.root / "by-hand");
  const VolumeDirectory other = volume("by-hand", "pv-1");
  refuses(volumes().remove(other), Code::kFailedPrecondition);
  const auto archived = volumes().archive(other, kStamp);
  REQUIRE_FALSE(archived.has_value());
  CHECK(archived.error().code == Code::kFailedPrecondition);
  CHECK(there("by-hand"));
}

TEST_CASE_METHOD(Scene, "a volume that was deleted is not deleted again under the name of a new one",
                 "[nas]") {
  REQUIRE(volumes().make(one, 0777));
  REQUIRE(volumes().remove(one));
  CHECK_FALSE(there("team-a/pvc-1"));
  CHECK(there("team-a"));
  const VolumeDirectory next = volume("team-a/pvc-1", "pv-2");
  REQUIRE(volumes().make(next, 0777));
  REQUIRE(volumes().remove(one));
  CHECK(volumes().archive(one, kStamp).value().empty());
  CHECK(there("team-a/pvc-1"));
  REQUIRE(volumes().remove(next));
  CHECK(own() == std::vector<std::string>{"claims"});
  CHECK(fs::is_empty(share.root / ".holdfast/claims"));
}

TEST_CASE_METHOD(Scene, "an archive keeps the whole path, and nothing that was archived is overwritten",
                 "[nas]") {
  const std::string first = std::string("team-a/archived-pvc-1-") + kStamp;
  REQUIRE(volumes().make(one, 0777));
  test::write_file(share.root / "team-a/pvc-1/file", "first");
  CHECK(volumes().archive(one, kStamp).value() == first);
  CHECK(volumes().archive(one, kLater).value() == first);

  REQUIRE(volumes().make(one, 0777));
  test::write_file(share.root / "team-a/pvc-1/file", "second");
  CHECK(volumes().archive(one, kStamp).value() == first + "-1");
  CHECK(volumes().archive(one, kStamp).value() == first + "-1");
  CHECK(test::read_file(share.root / first / "file") == "first");
  CHECK(test::read_file(share.root / (first + "-1") / "file") == "second");
  CHECK_FALSE(there("team-a/pvc-1"));
  REQUIRE(volumes().remove(one));
  CHECK(there(first));
}

TEST_CASE_METHOD(Scene, "a volume that is kept is nobody's any more, and stays so", "[nas]") {
  REQUIRE(volumes().make(one, 0777));
  REQUIRE(volumes().retain(one));
  REQUIRE(volumes().retain(one));
  REQUIRE(volumes().remove(one));
  CHECK(volumes().archive(one, kStamp).value().empty());
  refuses(volumes().make(one, 0777), Code::kAlreadyExists);
  CHECK(there("team-a/pvc-1"));
  CHECK(own() == std::vector<std::string>{"claims"});
}

TEST_CASE_METHOD(Scene, "the archive of another volume is not taken for one's own", "[nas]") {
  const VolumeDirectory longer = volume(std::string("team-a/pvc-1-") + kLater, "pv-2");
  REQUIRE(volumes().make(longer, 0777));
  REQUIRE(volumes().archive(longer, kLater));
  CHECK(volumes().archive(one, kStamp).value().empty());
}

TEST_CASE("names of archives are of 255 bytes at most and tell long names apart", "[nas]") {
  const std::string one = archive_name(std::string(254, 'x') + "a", kStamp, 4294967295U);
  const std::string other = archive_name(std::string(254, 'x') + "b", kStamp, 4294967295U);
  CHECK(one.size() == kMaxNameBytes);
  CHECK(one != other);
  CHECK(archive_name("pvc-1", kStamp, 0) == "archived-pvc-1-20261121T231500Z");
  CHECK(archive_name("pvc-1", kStamp, 7) == "archived-pvc-1-20261121T231500Z-7");
}

TEST_CASE_METHOD(Scene, "a copy appears when it is whole, and not before", "[nas]") {
  REQUIRE(volumes().make(one, 0750));
  test::plant(share.root / "team-a/pvc-1", 20);
  const VolumeDirectory copy = volume("copy", "pv-2");
  REQUIRE(volumes().copy(copy, "team-a/pvc-1", std::nullopt));
  CHECK(test::told(share.root / "copy") == test::told(share.root / "team-a/pvc-1"));
  CHECK(fs::status(share.root / "copy").permissions() == fs::perms(0750));
  CHECK(own() == std::vector<std::string>{"claims"});

  const VolumeDirectory snapshot{.directory = RelativePath::of_snapshot("snap-1"), .owner = "snap-1"};
  REQUIRE(volumes().copy(snapshot, "team-a/pvc-1", std::nullopt));
  CHECK(there(".holdfast/snapshots/snap-1/d0/f0"));
  REQUIRE(volumes().remove(snapshot));
  CHECK_FALSE(there(".holdfast/snapshots/snap-1"));

  refuses(volumes().copy(volume("none", "pv-3"), "nowhere", std::nullopt), Code::kNotFound);
  CHECK_FALSE(there("none"));
  REQUIRE(volumes().make(volume("none", "pv-4"), 0777));
}

TEST_CASE_METHOD(Scene, "a work that another left behind is gone with the volume, made or removed", "[nas]") {
  REQUIRE(volumes("h1").make(volume("a", "pv-a"), 0777));
  test::plant(share.root / "a", 10);
  REQUIRE(volumes().copy(one, "a", std::nullopt));
  const VolumeDirectory none = volume("nowhere/x", "pv-x");
  for (const char* holder : {"h7", "h8"}) {
    // The source is away when the copy is nearly whole.
    const auto take_away = [this](const Progress&) {
      if (there("a")) fs::rename(share.root / "a", share.root / "aside");
    };
    refuses(ShareVolumes(root, holder, take_away).copy(none, "a", std::nullopt), Code::kAborted);
    fs::rename(share.root / "aside", share.root / "a");
  }
  CHECK(own().size() == 5);
  REQUIRE(volumes("h9").remove(none));
  CHECK(own() == std::vector<std::string>{"claims"});
}

TEST_CASE_METHOD(Scene, "no volume lies in another's directory, whose removal would take it along", "[nas]") {
  const VolumeDirectory team = volume("team-a", "pv-team");
  REQUIRE(volumes().make(team, 0777));
  const auto refuses_below = [&] {
    for (const char* path : {"team-a/pvc-1", "team-a/deep/pvc-1"}) {
      const Status made = volumes().make(volume(path, "pv-1"), 0777);
      refuses(made, Code::kAlreadyExists);
      CHECK(made.error().message.find("pv-team, 'team-a'") != std::string::npos);
    }
    CHECK(fs::is_empty(share.root / "team-a"));
    CHECK(std::distance(fs::directory_iterator(share.root / ".holdfast/claims"), {}) == 1);
  };
  refuses_below();
  REQUIRE(volumes().retain(team));
  refuses_below();
  const VolumeDirectory other = volume("team-b", "pv-b");
  REQUIRE(volumes().make(other, 0777));
  REQUIRE(volumes().remove(other));
  REQUIRE(volumes().make(volume("team-b/pvc-1", "pv-1"), 0777));
  refuses(volumes().make(other, 0777), Code::kAlreadyExists);
}

TEST_CASE_METHOD(Scene, "no volume lies in that of a share on the way, whatever the server is called",
                 "[nas]") {
  fs::create_directories(share.root / "pool");
  const ShareRoot inner = ShareRoot::open(share.root / "pool").value();
  REQUIRE(ShareVolumes(inner, "h1", {}).make(volume("team/va", "pv-a"), 0777));
  for (const char* path : {"pool/team/va", "pool/team/va/inner", "pool/team/va/deep/inner"}) {
    const Status made = volumes().make(volume(path, "pv-1"), 0777);
    refuses(made, Code::kAlreadyExists);
    CHECK(fs::is_empty(share.root / "pool/team/va"));
  }
  REQUIRE(volumes().make(volume("pool/team/vb", "pv-1"), 0777));
  CHECK(std::distance(fs::directory_iterator(share.root / ".holdfast/claims"), {}) == 1);
}

TEST_CASE_METHOD(Scene, "of a copy that is refused for good nothing is left, also without a system's error",
                 "[nas]") {
  REQUIRE(volumes().make(volume("source", "pv-s"), 0777));
  fs::path deep = share.root / "source";
  for (int level = 0; level < 60; ++level) deep /= "d";
  fs::create_directories(deep);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit few{.rlim_cur = 60, .rlim_max = before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  const Status copied = volumes().copy(one, "source", std::nullopt);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  refuses(copied, Code::kResourceExhausted);
  CHECK(own() == std::vector<std::string>{"claims"});
  CHECK(std::distance(fs::directory_iterator(share.root / ".holdfast/claims"), {}) == 1);
  REQUIRE(volumes().copy(one, "source", std::nullopt));
}

TEST_CASE_METHOD(Scene, "of a copy in whose way something is put nothing is left", "[nas]") {
  REQUIRE(volumes().make(volume("source", "pv-s"), 0777));
  test::plant(share.root / "source", 5);
  const auto block = [this](const Progress&) { test::write_file(share.root / "team-a", ""); };
  const Status copied = ShareVolumes(root, "h1", block).copy(one, "source", std::nullopt);
  refuses(copied, Code::kFailedPrecondition);
  CHECK(copied.error().sys_errno == 0);
  CHECK(own() == std::vector<std::string>{"claims"});
  CHECK(std::distance(fs::directory_iterator(share.root / ".holdfast/claims"), {}) == 1);
}

TEST_CASE_METHOD(Scene, "where something else is called like our folder nothing is made, for good", "[nas]") {
  fs::create_directory_symlink(share.outside, share.root / ".holdfast");
  const Status made = volumes().make(one, 0777);
  refuses(made, Code::kFailedPrecondition);
  CHECK(made.error().sys_errno == 0);
  CHECK(share.untouched());
}

TEST_CASE_METHOD(Scene, "a copy has also what is called like a mark of ours", "[nas]") {
  REQUIRE(volumes().make(volume("source", "pv-s"), 0777));
  fs::create_directory(share.root / "source/.holdfast-new");
  test::write_file(share.root / "source/.holdfast-new/file", "kept");
  REQUIRE(volumes().copy(one, "source", std::nullopt));
  CHECK(test::told(share.root / "team-a/pvc-1") == test::told(share.root / "source"));
}

TEST_CASE_METHOD(Scene, "a volume that is made above another meanwhile is found before that lies in it",
                 "[nas]") {
  REQUIRE(volumes().make(volume("source", "pv-s"), 0777));
  test::plant(share.root / "source", 5);
  const auto above = [&, made = false](const Progress&) mutable {
    if (!std::exchange(made, true)) REQUIRE(volumes("h2").make(volume("team-a", "pv-team"), 0777));
  };
  refuses(ShareVolumes(root, "h1", above).copy(one, "source", std::nullopt), Code::kAlreadyExists);
  CHECK(fs::is_empty(share.root / "team-a"));
  CHECK(own() == std::vector<std::string>{"claims"});
}

TEST_CASE_METHOD(Scene, "a copy of what is taken away meanwhile is not used, and none of it is left",
                 "[nas]") {
  const VolumeDirectory source = volume("source", "pv-s");
  REQUIRE(volumes().make(source, 0777));
  test::plant(share.root / "source", 30);
  const auto take_away = [&](const Progress&) { REQUIRE(volumes("h2").archive(source, kStamp)); };
  refuses(ShareVolumes(root, "h1", take_away).copy(one, "source", std::nullopt), Code::kAborted);
  CHECK_FALSE(there("team-a/pvc-1"));
  refuses(volumes().copy(one, "source", std::nullopt), Code::kNotFound);
  CHECK(own() == std::vector<std::string>{"claims"});
  CHECK(fs::is_empty(share.root / ".holdfast/claims"));
}

TEST_CASE_METHOD(Scene, "what somebody puts in a volume's place before it is there stays his", "[nas]") {
  REQUIRE(volumes().make(volume("source", "pv-s"), 0777));
  test::plant(share.root / "source", 5);
  const auto put = [this](const Progress&) {
    fs::create_directories(share.root / "team-a/pvc-1");
    test::write_file(share.root / "team-a/pvc-1/file", "by hand");
  };
  const auto displace = [&] {
    refuses(ShareVolumes(root, "h1", put).copy(one, "source", std::nullopt), Code::kAlreadyExists);
  };
  displace();
  refuses(volumes().make(one, 0777), Code::kAlreadyExists);
  CHECK(own() == std::vector<std::string>{"claims"});
  CHECK(std::distance(fs::directory_iterator(share.root / ".holdfast/claims"), {}) == 1);

  // The same, cut off before that was seen.
  fs::remove(share.root / ".holdfast/claims" / claim_of("team-a/pvc-1"));
  for (const char* verb : {"remove", "archive", "retain", "make"}) {
    DYNAMIC_SECTION(verb) {
      fs::create_symlink("new pv-1", share.root / ".holdfast/claims" / claim_of("team-a/pvc-1"));
      const std::string what = verb;
      if (what == "remove") REQUIRE(volumes().remove(one));
      if (what == "archive") CHECK(volumes().archive(one, kStamp).value().empty());
      if (what == "retain") REQUIRE(volumes().retain(one));
      if (what == "make") refuses(volumes().make(one, 0777), Code::kAlreadyExists);
      CHECK(test::read_file(share.root / "team-a/pvc-1/file") == "by hand");
      CHECK(own() == std::vector<std::string>{"claims"});
      refuses(volumes().remove(one), Code::kFailedPrecondition);
    }
  }
}

TEST_CASE_METHOD(Scene, "a volume in which another share has volumes is not removed before those", "[nas]") {
  const VolumeDirectory pool = volume("pool", "pv-pool");
  REQUIRE(volumes().make(pool, 0777));
  const ShareRoot inner = ShareRoot::open(share.root / "pool").value();
  const VolumeDirectory inside = volume("pvc-1", "pv-inner");
  REQUIRE(ShareVolumes(inner, "h1", {}).make(inside, 0777));
  refuses(volumes().remove(pool), Code::kFailedPrecondition);
  const auto archived = volumes().archive(pool, kStamp);
  REQUIRE_FALSE(archived.has_value());
  CHECK(archived.error().code == Code::kFailedPrecondition);
  CHECK(there("pool/pvc-1"));
  REQUIRE(ShareVolumes(inner, "h1", {}).remove(inside));
  test::write_file(share.root / "pool/.holdfast/claims/file", "no claim");
  REQUIRE(volumes().remove(pool));
  CHECK_FALSE(there("pool"));
}

TEST_CASE_METHOD(Scene, "a volume deep in which another share has volumes is not removed before those",
                 "[nas]") {
  const VolumeDirectory pool = volume("pool", "pv-pool");
  REQUIRE(volumes().make(pool, 0777));
  test::plant(share.root / "pool", 30);
  fs::create_directories(share.root / "pool/d1/deep/share");
  const ShareRoot inner = ShareRoot::open(share.root / "pool/d1/deep/share").value();
  const VolumeDirectory inside = volume("pvc-1", "pv-inner");
  REQUIRE(ShareVolumes(inner, "h1", {}).make(inside, 0777));
  const auto before = test::told(share.root / "pool");
  const Status removed = volumes().remove(pool);
  refuses(removed, Code::kFailedPrecondition);
  CHECK(removed.error().message.find("'pool/d1/deep/share/.holdfast'") != std::string::npos);
  CHECK(test::told(share.root / "pool") == before);

  // A copy of it is nobody's share, and goes as any other.
  const VolumeDirectory copy = volume("copy", "pv-copy");
  REQUIRE(volumes().copy(copy, "pool", std::nullopt));
  CHECK(there("copy/d1/deep/share/pvc-1"));
  CHECK_FALSE(there("copy/d1/deep/share/.holdfast"));
  REQUIRE(volumes().remove(copy));
  REQUIRE(ShareVolumes(inner, "h1", {}).remove(inside));
  REQUIRE(volumes().remove(pool));
  CHECK_FALSE(there("pool"));
  CHECK(own() == std::vector<std::string>{"claims"});
}

TEST_CASE_METHOD(Scene, "a link on the way to a volume is not followed", "[nas]") {
  fs::create_directory_symlink(share.outside, share.root / "team-a");
  refuses(volumes().make(one, 0777), Code::kFailedPrecondition);
  refuses(volumes().make(volume("team-a", "pv-1"), 0777), Code::kAlreadyExists);
  CHECK_FALSE(fs::exists(share.outside / "pvc-1"));
  CHECK(share.untouched());
}

TEST_CASE_METHOD(Scene, "a volume that somebody exchanged for a link is removed as a link", "[nas]") {
  REQUIRE(volumes().make(one, 0777));
  fs::remove(share.root / "team-a/pvc-1");
  fs::create_directory_symlink(share.outside, share.root / "team-a/pvc-1");
  const auto archived = volumes().archive(one, kStamp);
  REQUIRE_FALSE(archived.has_value());
  CHECK(archived.error().code == Code::kFailedPrecondition);
  REQUIRE(volumes().remove(one));
  CHECK_FALSE(fs::exists(fs::symlink_status(share.root / "team-a/pvc-1")));
  CHECK(share.untouched());
}

}  // namespace
}  // namespace holdfast::nas

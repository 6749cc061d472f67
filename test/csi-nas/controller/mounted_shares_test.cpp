#include "csi-nas/controller/mounted_shares.h"

#include "test/catch.h"
#include "test/csi-nas/controller/folder_shares.h"
#include "test/csi-nas/controller/share_contract.h"
#include "test/csi-nas/mounts/fake_calls.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::nas {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kPatience{2000};

NasSource share(const std::string& path, const std::string& host = "10.0.0.5", const std::string& more = "") {
  NasSource source;
  source.shares = {{host, path}};
  source.options = parse_nas_options(std::vector<std::string>{"vers=4.1," + more}).value();
  return source;
}

/// NasMounts over calls that remember, with a folder of its own.
struct MountedScene : test::NasScene {
  MountedScene() { calls.folders.insert("10.0.0.5:/other"); }
  void set_dead(const std::string& host, bool dead) {
    servers.states[host] = dead ? ServerState::kDead : ServerState::kAlive;
  }
  /// As the folders are that real calls make.
  void make_folders() const {
    for (const mount::MountEntry& entry : calls.mounts) {
      if (is_shown(entry)) std::filesystem::create_directories(entry.target);
    }
  }
  [[nodiscard]] std::size_t shown() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(calls.mounts, [this](const auto& entry) { return is_shown(entry); }));
  }
  [[nodiscard]] bool is_shown(const mount::MountEntry& entry) const {
    return entry.target.starts_with(folder.path().native());
  }
  holdfast::test::TemporaryFolder folder;
  MountedShares access{mounts, servers, clock, (folder / "shown").native()};
};

struct FolderScene {
  void set_dead(const std::string& host, bool dead) {
    if (dead) access.dead.insert(host);
    if (!dead) access.dead.erase(host);
  }
  holdfast::test::TemporaryFolder folder;
  test::FolderShares access{folder / "shares"};
};

TEMPLATE_TEST_CASE("a share is somewhere while its server answers, and told to be away when not", "[nas]",
                   FolderScene, MountedScene) {
  TestType scene;
  test::keep_share_contract({.access = scene.access,
                             .share = share("/exports"),
                             .other = share("/other"),
                             .elsewhere = share("/exports", "10.0.0.6"),
                             .set_dead = [&](bool dead) { scene.set_dead("10.0.0.5", dead); }});
}

TEST_CASE_METHOD(MountedScene, "a share is shown whole, to write to, wherever volumes lie in it", "[nas]") {
  const std::string first = access.mounted_at(share("/exports"), kPatience).value();
  NasSource part = share("/exports", "10.0.0.5", "ro");
  part.subdirectory = "team/a";
  part.mode = 0700;
  CHECK(access.mounted_at(part, kPatience).value() == first);
  CHECK(calls.mounts.back().source == "10.0.0.5:/exports");
  CHECK(calls.mounts.back().options == "rw");
  CHECK(calls.mounts.size() == 2);
}

TEST_CASE_METHOD(MountedScene, "a server that dies while it is asked is away, within the patience", "[nas]") {
  REQUIRE(access.mounted_at(share("/exports"), kPatience).has_value());
  calls.silent.insert("10.0.0.5");
  const auto before = clock.since_boot();
  CHECK(access.mounted_at(share("/exports"), kPatience).error().code == Code::kUnavailable);
  CHECK(clock.since_boot() - before <= kPatience);
}

TEST_CASE_METHOD(MountedScene, "a share that its server has forgotten is mounted anew", "[nas]") {
  const std::string target = access.mounted_at(share("/exports"), kPatience).value();
  calls.stale = {target, std::string(kShared) + "/" + share("/exports").key_hash()};
  CHECK(access.mounted_at(share("/exports"), kPatience).value() == target);
  CHECK(calls.stale.empty());
}

TEST_CASE_METHOD(MountedScene, "a server that is called by a name is known by its address", "[nas]") {
  const NasSource named = share("/exports", "nas.example.com");
  calls.folders.insert("nas.example.com:/exports");
  calls.names["nas.example.com"] = "10.0.0.7";
  set_dead("10.0.0.7", true);
  CHECK(access.answers(named));
  CHECK(access.mounted_at(named, kPatience).error().code == Code::kUnavailable);
  CHECK_FALSE(access.answers(named));
}

TEST_CASE_METHOD(MountedScene, "a server's name is looked up where there is time for it, and once", "[nas]") {
  const NasSource named = share("/exports", "nas.example.com");
  CHECK(access.address_of(share("/exports"), {}) == "10.0.0.5");
  CHECK(access.address_of(named, kPatience).empty());
  calls.names["nas.example.com"] = "10.0.0.7";
  CHECK(access.address_of(named, {}).empty());
  CHECK(access.address_of(named, kPatience) == "10.0.0.7");
  calls.names.clear();
  CHECK(access.address_of(named, {}) == "10.0.0.7");
}

TEST_CASE_METHOD(MountedScene, "a share that nobody asks for is taken away, and one in use is not", "[nas]") {
  constexpr std::chrono::minutes kUnused{5};
  const std::string idle = access.mounted_at(share("/exports"), kPatience).value();
  const std::string used = access.mounted_at(share("/other"), kPatience).value();
  make_folders();
  clock.advance(kUnused - std::chrono::seconds(1));
  access.sweep(kUnused, kPatience);
  CHECK(shown() == 2);
  REQUIRE(access.mounted_at(share("/other"), kPatience).has_value());
  clock.advance(std::chrono::seconds(1));
  calls.busy.insert(idle);
  access.sweep(kUnused, kPatience);
  CHECK(shown() == 2);
  calls.busy.clear();
  set_dead("10.0.0.5", true);
  access.sweep(kUnused, kPatience);
  CHECK(shown() == 2);
  set_dead("10.0.0.5", false);
  access.sweep(kUnused, kPatience);
  CHECK(shown() == 1);
  CHECK(mount::mounted_at(calls.mounts, used) != nullptr);
  CHECK(access.mounted_at(share("/exports"), kPatience).value() == idle);
}

}  // namespace
}  // namespace holdfast::nas

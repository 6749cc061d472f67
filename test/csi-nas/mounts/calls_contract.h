#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <string>

#include "csi-nas/nfs/nfs_calls.h"
#include "csi-nas/nfs/nfs_table.h"
#include "csi-nas/nfs/server_states.h"
#include "test/catch.h"
#include "test/csi-nas/controller/share_contract.h"

namespace holdfast::nas::test {

/// One server with an export in which folders can be made, and a node without mounts of it below `root`.
struct CallsScene {
  NfsCalls& calls;
  ServerAddress server;
  std::string share;  ///< "10.0.0.5:/exports"
  mount::MountOptions options;
  std::string root;                       ///< of the calls: kubelet's folder
  std::function<mount::Mounts()> mounts;  ///< that there are now
  std::function<void(const std::string& target, bool in_use)> use;
  /// Removes the folder of a share on the server itself; it is mounted at the target.
  std::function<void(const std::string& source, const std::string& target)> remove_at_server;
  std::function<void(bool)> set_dead;
};

/// What every NfsCalls keeps to.
class CallsContract {
 public:
  explicit CallsContract(const CallsScene& scene) : scene_(scene), calls_(scene.calls) {}

  void keep() {
    check_mounts();
    check_binds();
    check_removed_folder();
    check_silence();
    CHECK(unmount(shared_, Unmount::kOrderly).has_value());
    CHECK(of(shared_).empty());
    CHECK(calls_.resolve("no-such-host.invalid", kAmple).error().code == Code::kUnavailable);
  }

 private:
  static constexpr NfsCalls::Patience kAmple{20000};
  static constexpr NfsCalls::Patience kShort{500};

  void check_mounts() {
    for (int again = 0; again < 2; ++again) REQUIRE(make_folder(scene_.share).has_value());
    for (int again = 0; again < 2; ++again) REQUIRE(mount(part_, shared_).has_value());
    const mount::Mounts there = of(shared_);
    REQUIRE(there.size() == 1);
    CHECK(is_nfs(there.front()));
    CHECK(there.front().source == part_);
    CHECK(mount(scene_.share, shared_).error().code == Code::kAlreadyExists);
    CHECK(of(shared_).size() == 1);
    check_missing(mount(scene_.share + "/none", scene_.root + "/shared/2"));
    check_missing(make_folder(scene_.share + "/none"));
    CHECK(of(scene_.root + "/shared/2").empty());
    for (int again = 0; again < 2; ++again)
      CHECK(calls_.set_mode(server_, shared_, 0770, kAmple).has_value());
    const auto usage = calls_.look(server_, shared_, kAmple);
    REQUIRE(usage.has_value());
    CHECK(usage->total_bytes > 0);
    CHECK(usage->available_bytes <= usage->total_bytes);
    CHECK_FALSE(calls_.is_under_way(shared_));
  }

  void check_binds() {
    const std::string reader = scene_.root + "/pods/1/mount";
    const std::string writer = scene_.root + "/pods/2/mount";
    for (int again = 0; again < 2; ++again) {
      REQUIRE(bind(reader, true).has_value());
      REQUIRE(bind(writer, false).has_value());
    }
    REQUIRE(of(reader).size() == 1);
    REQUIRE(of(writer).size() == 1);
    CHECK(of(reader).front().options.starts_with("ro"));
    CHECK(of(writer).front().options.starts_with("rw"));
    CHECK(of(writer).front().source == part_);
    scene_.use(writer, true);
    const Status refused = unmount(writer, Unmount::kOrderly);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().sys_errno == EBUSY);
    CHECK(of(writer).size() == 1);
    for (int again = 0; again < 2; ++again) {
      CHECK(unmount(writer, Unmount::kLazily).has_value());
      CHECK(unmount(reader, Unmount::kOrderly).has_value());
    }
    scene_.use(writer, false);
    CHECK(of(writer).empty());
    CHECK(of(reader).empty());
  }

  void check_removed_folder() {
    scene_.remove_at_server(part_, shared_);
    CHECK(becomes_true([&] {
      const auto usage = calls_.look(server_, shared_, kAmple);
      return !usage && usage.error().sys_errno == ESTALE;
    }));
    const Status bound = bind(scene_.root + "/pods/3/mount", false);
    REQUIRE_FALSE(bound.has_value());
    CHECK(bound.error().sys_errno == ESTALE);
    CHECK(of(scene_.root + "/pods/3/mount").empty());
    REQUIRE(unmount(shared_, Unmount::kLazily).has_value());
    CHECK(of(shared_).empty());
    REQUIRE(make_folder(scene_.share).has_value());
    REQUIRE(mount(part_, shared_).has_value());
    CHECK(calls_.look(server_, shared_, kAmple).has_value());
  }

  void check_silence() {
    scene_.set_dead(true);
    const auto began = std::chrono::steady_clock::now();
    const auto late = calls_.look(server_, shared_, kShort);
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().code == Code::kDeadlineExceeded);
    CHECK(unmount(shared_, Unmount::kLazily).has_value());
    CHECK(std::chrono::steady_clock::now() - began < kAmple);
    CHECK(of(shared_).empty());
    scene_.set_dead(false);
    CHECK(becomes_true([&] { return mount(part_, shared_).has_value(); }));
    CHECK(becomes_true([&] { return calls_.look(server_, shared_, kAmple).has_value(); }));
  }

  // By version 3 a folder that is not there may count as one that is not exported.
  static void check_missing(const Status& done) {
    REQUIRE_FALSE(done.has_value());
    INFO(done.error().message);
    CHECK((done.error().code == Code::kNotFound || done.error().code == Code::kPermissionDenied));
  }

  Status make_folder(const std::string& source) {
    return calls_.make_folder(
        server_,
        {.source = source, .options = scene_.options, .at = scene_.root + "/shared/way", .path = "calls/a"},
        kAmple);
  }
  Status mount(const std::string& source, const std::string& target) {
    return calls_.mount(server_, {.source = source, .options = scene_.options, .target = target}, kAmple);
  }
  Status bind(const std::string& target, bool read_only) {
    return calls_.bind(
        server_,
        {.source = shared_, .part = {}, .target = target, .read_only = read_only, .make_parents = true},
        kAmple);
  }
  Status unmount(const std::string& target, Unmount how) {
    return calls_.unmount(server_, {.target = target, .how = how, .remove = true}, kAmple);
  }
  [[nodiscard]] mount::Mounts of(const std::string& target) const {
    mount::Mounts there = scene_.mounts();
    std::erase_if(there, [&](const mount::MountEntry& entry) { return entry.target != target; });
    return there;
  }

  const CallsScene& scene_;
  NfsCalls& calls_;
  const std::string server_ = scene_.server.text();
  const std::string shared_ = scene_.root + "/shared/1";
  const std::string part_ = scene_.share + "/calls/a";
};

/// What every ServerStates keeps to, of a server that lives at the beginning and at the end.
inline void keep_states_contract(ServerStates& states, const ServerAddress& server,
                                 const std::function<void(bool)>& set_dead) {
  constexpr std::chrono::seconds kPatience{2};
  const auto lives = [&] { return states.settled(server, kPatience).state == ServerState::kAlive; };
  CHECK(becomes_true(lives));
  CHECK(states.health(server).state == ServerState::kAlive);
  set_dead(true);
  states.suspect(server);
  CHECK(becomes_true([&] { return states.settled(server, kPatience).state == ServerState::kDead; }));
  CHECK(states.health(server).state == ServerState::kDead);
  CHECK(states.health(server).silence > std::chrono::nanoseconds::zero());
  set_dead(false);
  CHECK(becomes_true(lives));
}

}  // namespace holdfast::nas::test

#include "csi-nas/mounts/nas_mounts.h"

#include "test/catch.h"
#include "test/csi-nas/mounts/fake_calls.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::nas {
namespace {

using test::NasScene;
using Words = std::vector<std::string>;

const std::string kOne = "/kubelet/csi/1/globalmount";
const std::string kTwo = "/kubelet/csi/2/globalmount";
const std::string kPod = "/kubelet/pods/a/mount";

NasSource source_of(const std::string& path, const std::string& more = "",
                    const std::string& host = "10.0.0.5") {
  NasSource source;
  source.shares = {{host, path}};
  source.options = parse_nas_options(Words{"vers=4.1," + more}).value();
  return source;
}

struct Scene : NasScene {
  Status stage(const NasSource& source, const std::string& target) {
    return mounts.stage(source, target, soon());
  }
  NasMounts::Deadline soon() { return mounts.deadline(std::chrono::minutes(2)); }
  std::string shared(const NasSource& source) { return std::string(kShared) + "/" + source.key_hash(); }
};

TEST_CASE_METHOD(Scene, "volumes of one share are one mount, shown where each is staged", "[nas]") {
  const NasSource source = source_of("/exports");
  REQUIRE(stage(source, kOne).has_value());
  CHECK(news() == Words{"mount 10.0.0.5:/exports", "bind " + kOne});
  REQUIRE(stage(source, kTwo).has_value());
  CHECK(news() == Words{"bind " + kTwo});
  CHECK(calls.targets() == Words{shared(source), kOne, kTwo});
  REQUIRE(stage(source, kOne).has_value());
  CHECK(news().empty());
}

TEST_CASE_METHOD(Scene, "what is still being unmounted counts neither as staged nor as published", "[nas]") {
  REQUIRE(stage(source_of("/exports"), kOne).has_value());
  REQUIRE(mounts.publish(kOne, kPod, false, soon()).has_value());
  calls.under_way = {kOne, kPod};
  for (const Status& done : {stage(source_of("/exports"), kOne), mounts.publish(kOne, kPod, false, soon())}) {
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == Code::kUnavailable);
    CHECK(done.error().message.find("is being unmounted") != std::string::npos);
  }
  calls.under_way.clear();
  REQUIRE(stage(source_of("/exports"), kOne).has_value());
  REQUIRE(mounts.publish(kOne, kPod, false, soon()).has_value());
}

TEST_CASE_METHOD(Scene, "a share is mounted anew for other options", "[nas]") {
  REQUIRE(stage(source_of("/exports"), kOne).has_value());
  REQUIRE(stage(source_of("/exports", "ro"), kTwo).has_value());
  CHECK(calls.targets().size() == 4);
}

TEST_CASE_METHOD(Scene, "what locks of version 3 need is started before a share is mounted with them",
                 "[nas]") {
  struct Case {
    const char* options;
    bool started;
  };
  const Case cases[] = {{"vers=3", true},
                        {"vers=3,local_lock=flock", true},
                        {"vers=3,nolock", false},
                        {"vers=3,local_lock=all", false},
                        {"vers=4.1", false}};
  for (const Case& each : cases) {
    DYNAMIC_SECTION(each.options) {
      const NasSource source = source_of("/exports", each.options);
      calls.lock_services = !each.started;
      CHECK(stage(source, kOne).has_value() == !each.started);
      CHECK((news().front() == "lock-services") == each.started);
      calls.lock_services = true;
      REQUIRE(stage(source, kOne).has_value());
      CHECK(calls.mounts.size() == 2);
    }
  }
}

TEST_CASE_METHOD(Scene, "another volume where one is staged already is refused", "[nas]") {
  calls.folders.insert("10.0.0.5:/other");
  REQUIRE(stage(source_of("/exports"), kOne).has_value());
  CHECK(stage(source_of("/other"), kOne).error().code == Code::kAlreadyExists);
  NasSource part = source_of("/exports");
  part.subdirectory = "pvc-1";
  CHECK(stage(part, kOne).error().code == Code::kAlreadyExists);
  REQUIRE(stage(part, kTwo).has_value());
  REQUIRE(stage(part, kTwo).has_value());
  CHECK(calls.mounts.back().source == "10.0.0.5:/exports/pvc-1");
  clock.advance(std::chrono::minutes(2));
  REQUIRE(mounts.unmount(kOne, false, soon()).has_value());
  mounts.sweep({}, soon());
  CHECK(calls.targets() == Words{shared(part), kTwo});
}

TEST_CASE_METHOD(Scene, "a folder that the share lacks is made from the nearest one that there is", "[nas]") {
  NasSource source = source_of("/exports/team/a");
  source.mode = 0770;
  REQUIRE(stage(source, kOne).has_value());
  CHECK(news() == Words{"mount 10.0.0.5:/exports/team/a", "make-folder 10.0.0.5:/exports/team a",
                        "make-folder 10.0.0.5:/exports team/a", "mount 10.0.0.5:/exports/team/a",
                        "set-mode " + shared(source) + " 504", "bind " + kOne});
  calls.folders = {};
  const Status none = stage(source_of("/nothing"), kTwo);
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().code == Code::kNotFound);
  CHECK(none.error().message.find("10.0.0.5:/nothing") != std::string::npos);
  news();
  const NasSource reader = source_of("/nothing", "ro");
  CHECK(stage(reader, kTwo).error().code == Code::kNotFound);
  CHECK(news() == Words{"mount 10.0.0.5:/nothing"});
}

TEST_CASE_METHOD(Scene, "a folder is made by a later call when the server is too far away for one", "[nas]") {
  const NasSource source = source_of("/exports/team/a");
  calls.late_once = "make-folder 10.0.0.5:/exports team/a";
  CHECK(stage(source, kOne).error().code == Code::kUnavailable);
  news();
  REQUIRE(stage(source, kOne).has_value());
  CHECK(news() == Words{"mount 10.0.0.5:/exports/team/a", "make-folder 10.0.0.5:/exports team/a",
                        "mount 10.0.0.5:/exports/team/a", "bind " + kOne});
}

TEST_CASE_METHOD(Scene, "a volume is not staged before it has the mode that was asked for", "[nas]") {
  NasSource source = source_of("/exports");
  source.subdirectory = "pvc-1";
  source.mode = 0750;
  calls.mode_errno = EPERM;
  for (int again = 0; again < 2; ++again) {
    CHECK(stage(source, kOne).error().code == Code::kPermissionDenied);
    CHECK(mount::mounted_at(calls.mounts, kOne) == nullptr);
  }
  calls.mode_errno = 0;
  news();
  REQUIRE(stage(source, kOne).has_value());
  CHECK(news() == Words{"set-mode " + shared(source) + "/pvc-1 488", "bind " + kOne});
}

TEST_CASE_METHOD(Scene, "a folder is made also when the server says that it is not exported", "[nas]") {
  calls.missing_errno = EACCES;
  REQUIRE(stage(source_of("/exports/team/a"), kOne).has_value());
  calls.folders = {};
  const Status none = stage(source_of("/nothing"), kTwo);
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().code == Code::kPermissionDenied);
  CHECK(none.error().message.find("10.0.0.5:/nothing") != std::string::npos);
}

TEST_CASE_METHOD(Scene, "of several servers the first that lives is mounted", "[nas]") {
  NasSource source = source_of("/exports", "", "10.0.0.4");
  source.shares.push_back({"unknown.example.com", "/exports"});
  source.shares.push_back({"nas.example.com", "/exports"});
  servers.states["10.0.0.4"] = ServerState::kDead;
  calls.names["nas.example.com"] = "10.0.0.6";
  calls.folders.insert("nas.example.com:/exports");
  REQUIRE(stage(source, kOne).has_value());
  CHECK(calls.mounts.front().source == "nas.example.com:/exports");
  CHECK(server_of(calls.mounts.front()).value().address == "10.0.0.6");
  REQUIRE(stage(source, kOne).has_value());
}

TEST_CASE_METHOD(Scene, "a dead server is not called, and told by name", "[nas]") {
  const NasSource source = source_of("/exports");
  REQUIRE(stage(source, kOne).has_value());
  news();
  servers.states["10.0.0.5"] = ServerState::kDead;
  for (const Status& done : {stage(source, kTwo), stage(source_of("/exports", "ro"), kTwo),
                             mounts.publish(kOne, kPod, false, soon())}) {
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == Code::kUnavailable);
    CHECK(done.error().message.find("10.0.0.5:2049 has not answered for 9 s") != std::string::npos);
  }
  CHECK(mounts.look(kOne, soon()).error().code == Code::kUnavailable);
  CHECK(stage(source, kOne).has_value());
  CHECK(news().empty());
}

TEST_CASE_METHOD(Scene, "a server that dies during a call is suspected, and the call ends in time", "[nas]") {
  const NasSource source = source_of("/exports");
  calls.silent.insert("10.0.0.5");
  const auto before = clock.since_boot();
  CHECK(stage(source, kOne).error().code == Code::kUnavailable);
  CHECK(clock.since_boot() - before <= NasMounts::kLongestCall);
  CHECK(servers.suspected == Words{"10.0.0.5"});
}

TEST_CASE_METHOD(Scene, "what is published is as it was asked for", "[nas]") {
  REQUIRE(stage(source_of("/exports"), kOne).has_value());
  CHECK(mounts.publish(kTwo, kPod, false, soon()).error().code == Code::kFailedPrecondition);
  REQUIRE(mounts.publish(kOne, kPod, true, soon()).has_value());
  CHECK(calls.mounts.back().read_only());
  news();
  REQUIRE(mounts.publish(kOne, kPod, true, soon()).has_value());
  CHECK(mounts.publish(kOne, kPod, false, soon()).error().code == Code::kAlreadyExists);
  CHECK(news().empty());
}

TEST_CASE_METHOD(Scene,
                 "a mount is taken away orderly from a server that lives, lazily from one that does not",
                 "[nas]") {
  struct Case {
    const char* name;
    ServerState state;
    bool silent;
    Words called;
  };
  const Case cases[] = {
      {"alive", ServerState::kAlive, false, {"unmount " + kPod + " remove"}},
      {"dead", ServerState::kDead, false, {"detach " + kPod + " remove"}},
      {"not known in time", ServerState::kUnknown, false, {"detach " + kPod + " remove"}},
      {"dying", ServerState::kAlive, true, {"unmount " + kPod + " remove", "detach " + kPod + " remove"}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      REQUIRE(stage(source_of("/exports"), kOne).has_value());
      REQUIRE(mounts.publish(kOne, kPod, false, soon()).has_value());
      news();
      servers.states["10.0.0.5"] = c.state;
      if (c.silent) calls.silent.insert("10.0.0.5");
      REQUIRE(mounts.unmount(kPod, true, soon()).has_value());
      CHECK(news() == c.called);
      CHECK(mount::mounted_at(calls.mounts, kPod) == nullptr);
    }
  }
}

TEST_CASE_METHOD(Scene, "a mount that is in use, and one of another kind, stay", "[nas]") {
  REQUIRE(stage(source_of("/exports"), kOne).has_value());
  calls.busy.insert(kOne);
  const Status busy = mounts.unmount(kOne, false, soon());
  REQUIRE_FALSE(busy.has_value());
  CHECK(busy.error().sys_errno == EBUSY);
  mount::MountEntry disk;
  disk.target = kPod;
  disk.type = "ext4";
  calls.mounts.push_back(disk);
  CHECK(mounts.unmount(kPod, true, soon()).error().code == Code::kFailedPrecondition);
  CHECK(mounts.unmount(kTwo, false, soon()).has_value());
  CHECK(calls.targets().size() == 3);
}

TEST_CASE_METHOD(Scene, "a share goes when nobody uses it and its server lives", "[nas]") {
  const NasSource source = source_of("/exports");
  REQUIRE(stage(source, kOne).has_value());
  mounts.sweep({}, soon());
  CHECK(calls.mounts.size() == 2);
  REQUIRE(mounts.unmount(kOne, false, soon()).has_value());
  servers.states["10.0.0.5"] = ServerState::kDead;
  mounts.sweep({}, soon());
  CHECK(calls.targets() == Words{shared(source)});
  servers.states.clear();
  mounts.sweep(std::chrono::minutes(1), soon());
  CHECK(calls.mounts.size() == 1);
  clock.advance(std::chrono::minutes(1));
  mounts.sweep(std::chrono::minutes(1), soon());
  CHECK(calls.mounts.empty());
}

TEST_CASE_METHOD(Scene, "a folder that a killed child has left is removed, and no other", "[nas]") {
  const holdfast::test::TemporaryFolder folder;
  const std::string left = folder / "left";
  const std::string used = folder / "used";
  for (const std::string& each : {left, used}) std::filesystem::create_directory(each);
  NasMounts here{{calls, servers, clock, [this] { return table(); }, folder.path().native()}};
  mount::MountEntry entry;
  entry.target = used;
  calls.mounts.push_back(entry);
  here.sweep({}, soon());
  CHECK(news() == Words{"detach " + left + " remove"});
}

TEST_CASE_METHOD(Scene, "a share that was used again meanwhile counts from anew", "[nas]") {
  const NasSource source = source_of("/exports");
  REQUIRE(stage(source, kOne).has_value());
  REQUIRE(mounts.unmount(kOne, false, soon()).has_value());
  mounts.sweep(std::chrono::minutes(1), soon());
  clock.advance(std::chrono::minutes(2));
  REQUIRE(stage(source, kTwo).has_value());
  mounts.sweep(std::chrono::minutes(1), soon());
  REQUIRE(mounts.unmount(kTwo, false, soon()).has_value());
  mounts.sweep(std::chrono::minutes(1), soon());
  CHECK(calls.targets() == Words{shared(source)});
}

TEST_CASE_METHOD(Scene, "a share that its server has forgotten is mounted anew", "[nas]") {
  const NasSource source = source_of("/exports");
  REQUIRE(stage(source, kOne).has_value());
  calls.stale.insert(shared(source));
  news();
  REQUIRE(stage(source, kTwo).has_value());
  CHECK(news() ==
        Words{"bind " + kTwo, "detach " + shared(source), "mount 10.0.0.5:/exports", "bind " + kTwo});
  CHECK(calls.mounts.back().minor == 2);
}

TEST_CASE_METHOD(Scene, "a volume of a share that was mounted anew is staged anew too", "[nas]") {
  const NasSource source = source_of("/exports");
  REQUIRE(stage(source, kOne).has_value());
  calls.stale.insert(shared(source));
  REQUIRE(stage(source, kTwo).has_value());
  // One that lives is in use, and stays.
  REQUIRE(stage(source, kOne).has_value());
  CHECK(mount::mounted_at(calls.mounts, kOne)->minor == 1);
  calls.stale.insert(kOne);
  news();
  REQUIRE(stage(source, kOne).has_value());
  CHECK(news() == Words{"look " + kOne, "detach " + kOne, "bind " + kOne});
}

TEST_CASE_METHOD(Scene, "a new volume is mounted from where its share's server is now", "[nas]") {
  calls.names["nas.example.com"] = "10.0.0.5";
  calls.folders.insert("nas.example.com:/exports");
  const NasSource source = source_of("/exports", "", "nas.example.com");
  REQUIRE(stage(source, kOne).has_value());
  servers.states["10.0.0.5"] = ServerState::kDead;
  news();
  CHECK(stage(source, kTwo).error().code == Code::kUnavailable);
  CHECK(news() == Words{});
  calls.names["nas.example.com"] = "10.0.0.6";
  REQUIRE(stage(source, kTwo).has_value());
  CHECK(news() == Words{"detach " + shared(source), "mount nas.example.com:/exports", "bind " + kTwo});
  CHECK(server_of(*mount::mounted_at(calls.mounts, kTwo))->address == "10.0.0.6");
  CHECK(server_of(*mount::mounted_at(calls.mounts, kOne))->address == "10.0.0.5");
}

TEST_CASE_METHOD(Scene, "a volume that was staged from a server of its list stays so when another is taken",
                 "[nas]") {
  NasSource source = source_of("/exports", "", "10.0.0.4");
  source.shares.push_back({"10.0.0.5", "/exports"});
  calls.folders.insert("10.0.0.4:/exports");
  REQUIRE(stage(source, kOne).has_value());
  servers.states["10.0.0.4"] = ServerState::kDead;
  REQUIRE(stage(source, kTwo).has_value());
  CHECK(mount::mounted_at(calls.mounts, kTwo)->source == "10.0.0.5:/exports");
  CHECK(stage(source, kOne).has_value());
  servers.states.clear();
  CHECK(stage(source, kOne).has_value());
  CHECK(mount::mounted_at(calls.mounts, kOne)->source == "10.0.0.4:/exports");
}

TEST_CASE("a turn is waited for, and not for ever", "[nas]") {
  Turns turns;
  auto first = std::make_unique<Result<Turns::Turn>>(turns.take("a", {}));
  REQUIRE(first->has_value());
  CHECK(turns.take("b", {}).has_value());
  CHECK(turns.take("a", std::chrono::milliseconds(1)).error().code == Code::kUnavailable);
  first.reset();
  CHECK(turns.take("a", {}).has_value());
}

TEST_CASE("the mount table tells servers and whose mounts are whose", "[nas]") {
  const mount::Mounts table =
      mount::parse_mountinfo(
          "1 0 0:50 / /k/shared/x rw - nfs4 nas:/a rw,vers=4.1,proto=tcp,clientaddr=10.0.0.9,addr=10.0.0.5\n"
          "2 0 0:50 / /k/pods/1 rw - nfs4 nas:/a/b rw,vers=4.1,addr=10.0.0.5\n"
          "3 0 0:51 / /k/pods/2 rw - nfs nas:/b rw,vers=3,addr=fd00::5,port=2050,mountaddr=fd00::6\n"
          "4 0 8:1 / /k ro - ext4 /dev/sda1 rw,addr=1.2.3.4\n"
          "5 0 0:52 / /kk rw - nfs4 other:/a rw,addr=10.0.0.7\n")
          .value();
  CHECK(server_of(table[0]).value() == ServerAddress{"10.0.0.5", 2049});
  CHECK(server_of(table[2]).value().text() == "[fd00::5]:2050");
  CHECK_FALSE(server_of(table[3]).has_value());
  CHECK(servers_below(table, "/k").size() == 2);
  CHECK(canonical_address("fe80:0::5%1") == "fe80::5%lo");
  CHECK(canonical_address("FD00:9:0::1") == "fd00:9::1");
  CHECK(canonical_address("fe80::5%none") == "fe80::5%none");
  CHECK(canonical_address("10.0.0.5") == "10.0.0.5");
  CHECK(is_used_outside(table, table[0], "/k/shared"));
  CHECK_FALSE(is_used_outside(table, table[0], "/k"));
  CHECK_FALSE(show_the_same(table[0], table[1]));
}

}  // namespace
}  // namespace holdfast::nas

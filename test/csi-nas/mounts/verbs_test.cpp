#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>

#include "csi-nas/nascmd/lock_services.h"
#include "csi-nas/nascmd/nascmd.h"
#include "test/catch.h"
#include "test/fakes/shell.h"
#include "test/fakes/temporary_folder.h"
#include "test/mount/fresh_mounts.h"

// nascmd where there is no NFS: what it does beside it. test/kernel/guest/csi_nas.sh has the rest.
namespace holdfast::nas {
namespace {

using holdfast::test::FreshMounts;
using holdfast::test::output_of;
using Words = std::vector<std::string>;

const std::string kRoot = "/mnt/kubelet";

struct Scene {
  Scene() {
    output_of(
        "mkdir -p /mnt/kubelet/shared/1 /mnt/kubelet/pods && mount -t tmpfs -o size=1m share "
        "/mnt/kubelet/shared/1 && "
        "mkdir -p /mnt/kubelet/shared/1/team/a && echo here >/mnt/kubelet/shared/1/team/a/file");
  }
  Result<std::string> run(const Words& words) { return nascmd.run(words); }
  FreshMounts mounts;
  Nascmd nascmd{kRoot};
};

TEST_CASE_METHOD(Scene, "a part of a share is shown where a volume is staged, and no link leads out of it",
                 "[nas]") {
  const std::string target = kRoot + "/csi/1/globalmount";
  const Words bind{"bind", kRoot + "/shared/1", "team/a", target, "ro", "parents"};
  for (int again = 0; again < 2; ++again) REQUIRE(run(bind).has_value());
  CHECK(output_of("cat " + target + "/file") == "here\n");
  CHECK(output_of("grep -c ' " + target + " ro' /proc/self/mountinfo") == "1\n");
  output_of("ln -s /etc /mnt/kubelet/shared/1/team/link");
  for (const char* part : {"team/link", "../1/team", "team/none"}) {
    CHECK_FALSE(
        run({"bind", kRoot + "/shared/1", part, kRoot + "/csi/2/globalmount", "rw", "parents"}).has_value());
  }
  CHECK(run({"bind", kRoot + "/shared/1", "", kRoot + "/pods/none/mount", "rw", "none"}).error().code ==
        Code::kNotFound);
}

TEST_CASE_METHOD(Scene, "what was removed where it lies is stale, and shown nowhere", "[nas]") {
  output_of(
      "mkdir -p /mnt/kubelet/staged /mnt/kubelet/pods/a && "
      "mount --bind /mnt/kubelet/shared/1/team/a /mnt/kubelet/staged");
  const std::string staged = kRoot + "/staged";
  const Words bind{"bind", staged, "", kRoot + "/pods/a/mount", "rw", "none"};
  REQUIRE(run(bind).has_value());
  REQUIRE(run({"unmount", kRoot + "/pods/none", "orderly", "keep"}).has_value());
  output_of("rm -r /mnt/kubelet/shared/1/team/a && mkdir /mnt/kubelet/shared/1/team/a");
  for (const Words& words :
       {Words{"bind", staged, "", kRoot + "/pods/b", "rw", "none"}, Words{"look", staged}}) {
    const auto done = run(words);
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().sys_errno == ESTALE);
  }
  CHECK(output_of("grep -c /mnt/kubelet/pods/b /proc/self/mountinfo || true") == "0\n");
}

TEST_CASE("rpcbind is asked for rpc.statd as RFC 1833 has it", "[nas]") {
  const auto wire = [](std::initializer_list<std::uint8_t> lasts) {
    std::string out;
    for (const std::uint8_t last : lasts) out += std::string(3, '\0') + static_cast<char>(last);
    return out;
  };
  const std::string call = statd_port_call(7);
  CHECK(call.size() == 60);
  CHECK(call.substr(call.size() - 16) == std::string("\0\1\x86\xb8", 4) + wire({1, 6, 0}));
  const std::string mark("\x80\0\0\x1c", 4);
  const std::string accepted = mark + wire({7, 1, 0, 0, 0, 0});
  CHECK(read_statd_port(accepted + std::string("\0\0\x03\xe9", 4), 7) == 1001);
  CHECK(read_statd_port(accepted + wire({0}), 7) == 0);
  CHECK_FALSE(read_statd_port(accepted + std::string("\0\1\0\0", 4), 7));
  CHECK_FALSE(read_statd_port(accepted, 7));
  CHECK_FALSE(read_statd_port(mark + wire({7, 1, 0, 0, 0, 1, 0}), 7));
}

TEST_CASE("without rpcbind or rpc.statd, locks of version 3 are refused with a cure", "[nas]") {
  // Nobody listens on the port 7, and nobody is started who would.
  for (const bool silent : {false, true}) {
    const LockServices services{
        .rpcbind_port = 7, .rpcbind = {silent ? "/bin/true" : "/none/rpcbind"}, .statd = {"/none/rpc.statd"}};
    const Status done = start_lock_services(services);
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == Code::kFailedPrecondition);
    CHECK(done.error().message.find("nolock") != std::string::npos);
  }
}

TEST_CASE("servers are told once a boot that this machine was started anew", "[nas]") {
  const holdfast::test::TemporaryFolder folder;
  const std::string state = (folder / "nfs").native();
  const std::string notify = (folder / "notify").native();
  output_of("printf '#!/bin/sh\\ntest -d " + state + "/sm.bak && echo told >>" + (folder / "log").native() +
            "\\n' >" + notify + " && chmod +x " + notify);
  const LockServices services{.notify = {notify}, .state = state};
  // As after a start of the container, and of the machine.
  for (int container = 0; container < 3; ++container) REQUIRE(prepare_statd(services).has_value());
  CHECK(output_of("cat " + (folder / "log").native()) == "told\n");
  output_of("echo another-boot >" + state + "/holdfast-boot && touch " + state + "/sm/10.0.0.5");
  for (int container = 0; container < 3; ++container) REQUIRE(prepare_statd(services).has_value());
  CHECK(output_of("cat " + (folder / "log").native()) == "told\ntold\n");
  CHECK(output_of("ls " + state + "/sm") == "10.0.0.5\n");
  const LockServices none{.notify = {"/none/sm-notify"}, .state = (folder / "other")};
  CHECK(prepare_statd(none).error().code == Code::kFailedPrecondition);
}

TEST_CASE_METHOD(Scene, "what is mounted and is not NFS stays", "[nas]") {
  CHECK(run({"unmount", kRoot + "/shared/1", "lazily", "remove"}).error().code == Code::kFailedPrecondition);
  CHECK(run({"mount", "10.0.0.5:/a", "0", "vers=3,addr=10.0.0.5", kRoot + "/shared/1"}).error().code ==
        Code::kAlreadyExists);
  CHECK(output_of("cat /mnt/kubelet/shared/1/team/a/file") == "here\n");
}

TEST_CASE_METHOD(Scene, "an empty folder that was published to is removed, and no other", "[nas]") {
  output_of("mkdir -p /mnt/kubelet/pods/a /mnt/kubelet/pods/b && touch /mnt/kubelet/pods/b/file");
  for (int again = 0; again < 2; ++again) {
    REQUIRE(run({"unmount", kRoot + "/pods/a", "orderly", "remove"}).has_value());
  }
  CHECK(output_of("ls /mnt/kubelet/pods") == "b\n");
  CHECK(run({"unmount", kRoot + "/pods/b", "lazily", "remove"}).error().code == Code::kFailedPrecondition);
  REQUIRE(run({"unmount", kRoot + "/pods/b", "lazily", "keep"}).has_value());
  REQUIRE(run({"unmount", kRoot + "/none/c", "orderly", "remove"}).has_value());
}

TEST_CASE_METHOD(Scene, "space and mode are those of the folder itself", "[nas]") {
  CHECK(run({"look", kRoot + "/shared/1"}).value().starts_with("1048576 "));
  CHECK(run({"look", kRoot + "/none"}).error().code == Code::kNotFound);
  for (int again = 0; again < 2; ++again) REQUIRE(run({"set-mode", kRoot + "/shared/1", "504"}).has_value());
  CHECK(output_of("stat -c %a /mnt/kubelet/shared/1") == "770\n");
  output_of("ln -s /mnt/kubelet/shared/1/team/a/file /mnt/kubelet/pods/link");
  CHECK_FALSE(run({"set-mode", kRoot + "/pods/link", "511"}).has_value());
}

TEST_CASE_METHOD(Scene, "words that are none of its verbs are refused", "[nas]") {
  const std::string outside = "/mnt/other";
  for (const Words& words :
       {Words{}, Words{"look"}, Words{"erase", "a"}, Words{"look", outside},
        Words{"set-mode", kRoot + "/pods", "0x1"}, Words{"unmount", kRoot + "/../x", "orderly", "keep"}}) {
    const auto done = run(words);
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == Code::kInvalidArgument);
  }
  CHECK(run({"resolve", "127.0.0.1"}).value() == "127.0.0.1");
}

}  // namespace
}  // namespace holdfast::nas

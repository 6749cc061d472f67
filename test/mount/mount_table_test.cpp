#include "common/mount/mount_table.h"

#include <sys/mount.h>

#include "common/mount/mount_options.h"
#include "test/catch.h"

namespace holdfast::mount {
namespace {

TEST_CASE("A line of mountinfo is read in all its parts", "[mount]") {
  const auto mounts = parse_mountinfo(
      "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
      "40 36 0:21 / /a\\040b\\011c\\134d ro shared:7 master:2 propagate_from:3 unbindable - tmpfs  rw\n"
      "41 36 0:4 net:[4026532281] /run/netns/x rw - nsfs nsfs rw\n");
  REQUIRE(mounts);
  REQUIRE(mounts->size() == 3);
  MountEntry first;
  first.id = 36;
  first.parent_id = 35;
  first.major = 98;
  first.root = "/mnt1";
  first.target = "/mnt2";
  first.options = "rw,noatime";
  first.type = "ext3";
  first.source = "/dev/root";
  first.super_options = "rw,errors=continue";
  first.master = 1;
  CHECK(mounts->at(0) == first);
  CHECK_FALSE(first.read_only());
  CHECK(mounts->at(1).target == "/a b\tc\\d");
  CHECK(mounts->at(1).source.empty());
  CHECK(mounts->at(1).super_options == "rw");
  CHECK(mounts->at(1).shared == 7);
  CHECK(mounts->at(1).master == 2);
  CHECK(mounts->at(1).unbindable);
  CHECK(mounts->at(1).read_only());
  CHECK(mounts->at(2).root == "net:[4026532281]");
  CHECK(parse_mountinfo("")->empty());
}

TEST_CASE("A file that is not mountinfo is refused as a whole", "[mount]") {
  const std::string good = "36 35 98:0 / /mnt rw - ext3 /dev/root rw\n";
  for (const char* bad : {"x", "36", "36 35 98 / /mnt rw - ext3 /dev/root rw",
                          "36 35 98:0 / /mnt rw ext3 /dev/root rw", "36 35 98:0 / mnt rw - ext3 d rw",
                          "36 35 98:0 / /mnt rw shared:x - ext3 d rw", "-1 35 98:0 / /mnt rw - ext3 d rw",
                          "36 35 98:0 / /mnt rw - ", "99999999999 1 1:1 / / rw - a b c", " "}) {
    CAPTURE(bad);
    const auto mounts = parse_mountinfo(good + bad + "\n" + good);
    REQUIRE_FALSE(mounts);
    CHECK(mounts.error().message == "mountinfo: line 2 is not a mount");
  }
}

TEST_CASE("The topmost mount of a target counts", "[mount]") {
  const auto mounts = parse_mountinfo(
      "1 0 8:1 / /a rw - ext4 x rw\n2 1 8:2 / /a rw - ext4 y rw\n3 1 8:3 / /ab rw - ext4 z rw\n");
  CHECK(mounted_at(*mounts, "/a")->source == "y");
  CHECK(mounted_at(*mounts, "/ab")->source == "z");
  CHECK(mounted_at(*mounts, "/") == nullptr);
}

TEST_CASE("Mount options become flags and data", "[mount]") {
  struct Case {
    const char* fs_type;
    std::vector<std::string> words;
    unsigned long flags;
    const char* data;
  };
  const Case cases[] = {
      {"ext4", {}, 0, ""},
      {"ext4", {"ro", "noatime"}, MS_RDONLY | MS_NOATIME, ""},
      {"ext4", {"ro,rw", "defaults,_netdev,nofail,x-systemd.automount"}, 0, ""},
      {"ext4", {"noatime,relatime"}, MS_RELATIME, ""},
      {"ext4", {"data=ordered,discard", "commit=30"}, 0, "data=ordered,discard,commit=30"},
      {"xfs",
       {"nouuid", "prjquota", "nosuid,nodev,noexec"},
       MS_NOSUID | MS_NODEV | MS_NOEXEC,
       "nouuid,prjquota"},
      {"vfat", {"uid=1000,gid=2000,umask=0002"}, 0, "uid=1000,gid=2000,umask=0002"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.fs_type, c.words);
    CHECK(parse_mount_options(c.fs_type, c.words).value() == MountOptions{c.flags, c.data});
  }
}

TEST_CASE("Mount options that reach further than the file system are refused", "[mount]") {
  const std::pair<const char*, const char*> cases[] = {{"ext4", "bind"},
                                                       {"ext4", "rbind"},
                                                       {"ext4", "remount"},
                                                       {"ext4", "move"},
                                                       {"ext4", "shared"},
                                                       {"ext4", "loop"},
                                                       {"ext4", "journal_path=/x"},
                                                       {"ext4", "journal_dev=8:1"},
                                                       {"xfs", "logdev=/dev/sda"},
                                                       {"xfs", "rtdev=/dev/sda"},
                                                       {"ext4", "nouuid"},
                                                       {"ext4", "data=/etc"},
                                                       {"ext4", "user"},
                                                       {"ext4", "context=a:b"},
                                                       {"ext4", "=x"},
                                                       {"btrfs", "subvol=x"},
                                                       {"ext4", "usrjquota=x"},
                                                       {"vfat", "uid=$(id)"},
                                                       {"ext4", "data=a b"}};
  for (const auto& [type, option] : cases) {
    CAPTURE(type, option);
    const auto options = parse_mount_options(type, {"noatime", option});
    REQUIRE_FALSE(options);
    CHECK(options.error().message == std::string("mount option '") + option + "' is not allowed for " + type);
  }
}

}  // namespace
}  // namespace holdfast::mount

#include "common/mount/mount_table.h"

#include <sys/mount.h>

#include <filesystem>
#include <fstream>

#include "common/mount/kubelet_inventory.h"
#include "common/mount/mount_options.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::mount {
namespace {

namespace fs = std::filesystem;

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

TEST_CASE("A file system that turned read-only is told from a mount that is", "[mount]") {
  const auto mounts = parse_mountinfo(
      "1 0 8:1 / /a rw - ext4 x rw,errors=remount-ro\n2 1 8:1 / /b ro - ext4 x ro\n3 1 8:1 / /c rw - ext4 x "
      "ro,prjquota\n"
      "4 1 8:1 / /d ro - ext4 x rw\n");
  REQUIRE(mounts);
  std::string turned;
  for (const MountEntry& entry : *mounts) turned += entry.turned_read_only() ? entry.target : "";
  CHECK(turned == "/c");
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
      {"xfs", {}, 0, ""},
      {"xfs", {"ro", "noatime"}, MS_RDONLY | MS_NOATIME, ""},
      {"xfs", {"ro,rw", "defaults,_netdev,nofail,x-systemd.automount"}, 0, ""},
      {"xfs", {"noatime,relatime"}, MS_RELATIME, ""},
      {"ext4", {}, 0, "errors=remount-ro"},
      {"ext3", {}, 0, "errors=remount-ro"},
      {"ext2", {"ro"}, MS_RDONLY, "errors=remount-ro"},
      {"ext4", {"data=ordered,discard", "commit=30"}, 0, "data=ordered,discard,commit=30,errors=remount-ro"},
      {"ext4", {"data=ordered", "errors=continue"}, 0, "data=ordered,errors=continue"},
      {"ext4", {"errors=continue,discard"}, 0, "errors=continue,discard"},
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
                                                       {"ext4", "errors=panic"},
                                                       {"vfat", "errors=panic"},
                                                       {"vfat", "uid=$(id)"},
                                                       {"ext4", "data=a b"}};
  for (const auto& [type, option] : cases) {
    CAPTURE(type, option);
    const auto options = parse_mount_options(type, {"noatime", option});
    REQUIRE_FALSE(options);
    CHECK(options.error().message == std::string("mount option '") + option + "' is not allowed for " + type);
  }
}

/// kubelet's folder, in which two drivers keep volumes.
struct Kubelet {
  void put(const std::string& file, const std::string& text) const {
    fs::create_directories((root / file).parent_path());
    std::ofstream(root / file) << text;
  }
  void put_note(const std::string& folder, const std::string& driver, const std::string& volume) const {
    put(folder + "/vol_data.json",
        R"({"driverName":")" + driver + R"(","volumeHandle":")" + volume + R"("})");
  }
  void make(const std::string& folder) const { fs::create_directories(root / folder); }
  /// A line a place: kind, state, driver/volume, source, and where.
  [[nodiscard]] std::string inventory(const Mounts& mounts) const {
    std::string out;
    const std::vector<KubeletPlace> places = take_inventory(root.path(), {"lvm", "disk"}, mounts).value();
    for (const KubeletPlace& place : places) {
      out += std::string(to_string(place.kind)) + ", " + std::string(to_string(place.state)) + ", " +
             place.driver + "/" + place.volume + ", " + place.source + ", " +
             place.path.substr(root.path().string().size()) + "\n";
    }
    return out;
  }
  [[nodiscard]] MountEntry mounted(const std::string& path, const std::string& source,
                                   std::uint32_t major) const {
    MountEntry entry;
    entry.major = major;
    entry.minor = 999999;
    entry.target = root / path;
    entry.source = source;
    return entry;
  }
  test::TemporaryFolder root;
};

TEST_CASE("kubelet's places are listed with what is mounted there, and what should be", "[mount]") {
  const Kubelet kubelet;
  const std::string staged = "plugins/kubernetes.io/csi/lvm/abc";
  const std::string pod = "pods/uid1/volumes/kubernetes.io~csi/";
  kubelet.put_note(staged, "lvm", "v1");
  kubelet.make(staged + "/globalmount");
  kubelet.put("plugins/kubernetes.io/csi/disk/def/globalmount/data", "written below the mount point");
  kubelet.put_note("plugins/kubernetes.io/csi/nas/x", "nas", "n");
  kubelet.make("plugins/kubernetes.io/csi/nas/x/globalmount");
  kubelet.make("plugins/kubernetes.io/csi/lvm/empty");
  kubelet.put_note(pod + "pv1", "lvm", "v1");
  kubelet.make(pod + "pv1/mount");
  kubelet.put_note(pod + "pv2", "lvm", "v2");
  kubelet.make(pod + "pv2/mount");
  kubelet.put_note(pod + "pv3", "nas", "n");
  kubelet.make(pod + "pv3/mount");
  kubelet.put(pod + "pv4/vol_data.json", "torn {");
  kubelet.make(pod + "pv4/mount");
  kubelet.put("pods/uid2/volumeDevices/kubernetes.io~csi/raw1", "");
  const Mounts mounts = {kubelet.mounted(staged + "/globalmount", "/dev/vg/v1", 0),
                         kubelet.mounted(pod + "pv2/mount", "/dev/gone", 8)};
  CHECK(kubelet.inventory(mounts) ==
        "staged, mounted, lvm/v1, /dev/vg/v1, /" + staged + "/globalmount\n" +
            "staged, shadowed, /, , /plugins/kubernetes.io/csi/disk/def/globalmount\n" +
            "published, left over, lvm/v1, , /" + pod + "pv1/mount\n" +
            "published, broken, lvm/v2, /dev/gone, /" + pod + "pv2/mount\n" +
            "published raw, left over, /, , /pods/uid2/volumeDevices/kubernetes.io~csi/raw1\n");
}

TEST_CASE("kubelet's notes tell the volumes of a driver that are staged, whatever its release", "[mount]") {
  const Kubelet kubelet;
  const std::string csi = "plugins/kubernetes.io/csi/";
  kubelet.put_note(csi + "disk/abc", "disk", "d-2");
  kubelet.put_note(csi + "pv/pv-1", "disk", "d-1");
  kubelet.put_note(csi + "pv/pv-2", "nas", "n-1");
  kubelet.put_note(csi + "volumeDevices/pv-3/data", "disk", "d-3");
  kubelet.put_note(csi + "volumeDevices/pv-4/data", "disk", "d-2");
  kubelet.put(csi + "disk/def/vol_data.json", "torn {");
  CHECK(staged_volumes(kubelet.root.path(), "disk") == std::vector<std::string>{"d-1", "d-2", "d-3"});
  CHECK(staged_volumes(kubelet.root / "none", "disk").empty());
}

TEST_CASE("A kubelet's folder that is empty or not there is told apart", "[mount]") {
  const Kubelet kubelet;
  CHECK(kubelet.inventory({}).empty());
  CHECK(take_inventory(kubelet.root / "none", {}, {}).error().code == Code::kNotFound);
}

}  // namespace
}  // namespace holdfast::mount

#include "csi-disk/device/device_finder.h"

#include <atomic>
#include <thread>

#include "test/catch.h"
#include "test/csi-disk/device/disk_machine.h"

namespace holdfast::disk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::function<bool()> kNever = [] { return false; };

TEST_CASE("a serial number is the same with all its letters, or with the 20 bytes that virtio tells",
          "[disk]") {
  struct Case {
    const char* name;
    DiskIdentity wanted;
    DiskIdentity found;
    bool same;
  };
  const Case cases[] = {
      {"the same", {"d-1"}, {"d-1"}, true},
      {"case counts", {"D-1"}, {"d-1"}, false},
      {"the beginning of a short one", {"d-1"}, {"d-12"}, false},
      {"20 bytes of a longer one", {"12345678901234567890abc"}, {"12345678901234567890"}, true},
      {"19 bytes of a longer one", {"12345678901234567890"}, {"1234567890123456789"}, false},
      {"nothing is told", {"d-1"}, {}, false},
      {"nothing is wanted", {}, {}, false},
      {"by WWN", {"", "naa.1"}, {"x", "naa.1"}, true},
      {"another WWN", {"d-1", "naa.1"}, {"d-1", "naa.2"}, false},
      {"another serial", {"d-1", "naa.1"}, {"d-2", "naa.1"}, false},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(is_same(c.wanted, c.found) == c.same); }
  }
}

TEST_CASE("links are made of serial numbers that lead nowhere else", "[disk]") {
  const DeviceRules rules{.links = {"virtio-{serial}", "no mark", "../{serial}"}, .by_id = "/by-id"};
  CHECK(links_of(rules, "d-1") == std::vector<std::filesystem::path>{"/by-id/virtio-d-1"});
  CHECK(links_of(rules, "12345678901234567890abc").size() == 2);
  for (const std::string& hostile : {std::string("../../x"), std::string(), std::string(".."),
                                     std::string("a b"), std::string("a\nb"), std::string(253, 'x')}) {
    CAPTURE(hostile);
    CHECK_FALSE(is_serial(hostile));
    CHECK(links_of(rules, hostile).empty());
  }
}

TEST_CASE_METHOD(test::DiskMachine, "a disk is found whatever its name is", "[disk]") {
  attach("vda", "system", 0);
  attach("vdb", "d-1", 16);
  const auto found = finder.look({"d-1"}).value();
  REQUIRE(found.has_value());
  CHECK(found->disk == dev("vdb"));
  CHECK(data_of(*found).value() == dev("vdb"));
  CHECK(found->held.valid());
  detach("vdb", 16);
  CHECK_FALSE(finder.look({"d-1"}).value().has_value());
  attach("vdb", "d-2", 16);
  attach("vdc", "d-1", 32);
  CHECK(finder.look({"d-1"}).value()->disk == dev("vdc"));
}

TEST_CASE_METHOD(test::DiskMachine, "two devices of one serial number are refused", "[disk]") {
  attach("vdb", "d-1", 16);
  attach("vdc", "d-1", 32);
  link("virtio-d-1", "vdb");
  const auto found = finder.look({"d-1"});
  REQUIRE_FALSE(found.has_value());
  CHECK(found.error().code == Code::kFailedPrecondition);
  CHECK(found.error().message.find("vdb, vdc") != std::string::npos);
}

TEST_CASE_METHOD(test::DiskMachine, "a link to another disk is told and not followed", "[disk]") {
  attach("vdb", "d-2", 16);
  link("virtio-d-1", "vdb");
  const auto found = finder.find({"d-1"}, milliseconds(0), kNever);
  REQUIRE_FALSE(found.has_value());
  CHECK(found.error().code == Code::kUnavailable);
  CHECK(found.error().message.find("leads to vdb, which has the serial number d-2") != std::string::npos);
}

TEST_CASE_METHOD(test::DiskMachine, "a link to a device that tells nothing proves nothing", "[disk]") {
  attach("vdb", "", 16);
  link("virtio-d-1", "vdb");
  const auto found = finder.find({"d-1"}, milliseconds(0), kNever);
  REQUIRE_FALSE(found.has_value());
  CHECK(found.error().message.find("which tells no serial number") != std::string::npos);
  CHECK(finder.identity_behind(dev("vdb")).error().code == Code::kFailedPrecondition);
}

TEST_CASE_METHOD(test::DiskMachine, "a disk that is replaced between the look and the open is not taken",
                 "[disk]") {
  attach("vdb", "d-1", 16);
  SECTION("by another one under its name and number") {
    files.before_next = [this](const std::string&) {
      detach("vdb", 16);
      attach("vdb", "d-2", 16);
    };
  }
  SECTION("by another one under its name") {
    files.before_next = [this](const std::string&) {
      detach("vdb", 16);
      attach("vdb", "d-2", 48);
    };
  }
  SECTION("by none") {
    files.before_next = [this](const std::string&) { detach("vdb", 16); };
  }
  CHECK_FALSE(finder.look({"d-1"}).value().has_value());
}

TEST_CASE_METHOD(test::DiskMachine, "the only partition is the volume, and of several none", "[disk]") {
  attach("vdb", "d-1", 16);
  add_partition("vdb", "vdb1", 17);
  CHECK(data_of(*finder.look({"d-1"}).value()).value() == dev("vdb1"));
  CHECK(finder.identity_behind(dev("vdb1")).value() == DiskIdentity{"d-1"});
  add_partition("vdb", "vdb2", 18);
  CHECK(data_of(*finder.look({"d-1"}).value()).error().code == Code::kFailedPrecondition);
}

TEST_CASE_METHOD(test::DiskMachine, "a late disk is found when its news come, not when the time is over",
                 "[disk]") {
  std::atomic<bool> told = false;
  std::thread later([&] {
    clock.sleep(milliseconds(50));
    attach("vdb", "d-1", 16);
    told = true;
    news.tell();
  });
  const auto begun = clock.since_boot();
  const auto found = finder.find({"d-1"}, seconds(30), kNever);
  CHECK(told);
  later.join();
  REQUIRE(found.has_value());
  CHECK(clock.since_boot() - begun < seconds(10));
}

TEST_CASE_METHOD(test::DiskMachine, "what sysfs tells a moment after the news is seen without further news",
                 "[disk]") {
  std::thread later([&] {
    clock.sleep(milliseconds(20));
    news.tell();
    clock.sleep(milliseconds(5));
    attach("vdb", "d-1", 16);
  });
  const auto found = finder.find({"d-1"}, seconds(30), kNever);
  later.join();
  CHECK(found.has_value());
}

TEST_CASE_METHOD(test::DiskMachine, "a disk that does not come is waited for no longer than told", "[disk]") {
  CHECK(finder.find({"d-1"}, milliseconds(30), kNever).error().code == Code::kUnavailable);
  CHECK(finder.find({"d-1"}, seconds(30), [] { return true; }).error().code == Code::kCancelled);
}

TEST_CASE_METHOD(test::DiskMachine, "a loop device is known by its file, where that is allowed", "[disk]") {
  attach("loop0", "", 0);
  machine.put("sys/devices/loop0/loop/backing_file", "/var/lib/disk-sim/disks/d-1.img\n");
  CHECK_FALSE(finder.look({"d-1"}).value().has_value());
  DeviceRules with_loops = rules();
  with_loops.loops = true;
  const DeviceFinder other({machine.directory, files, news, clock, machine.folder / "dev"}, with_loops);
  CHECK(other.look({"d-1"}).value()->disk == dev("loop0"));
}

}  // namespace
}  // namespace holdfast::disk

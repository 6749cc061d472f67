#include "common/block/device_identity.h"

#include <sys/sysmacros.h>

#include "common/block/uevents.h"
#include "test/block/fake_machine.h"
#include "test/catch.h"

namespace holdfast::block {
namespace {

const std::string kSerialPage = std::string("\x00\x80\x00\x0a  WD-1234\0\0", 15);

TEST_CASE("A SCSI disk is known by its WWN and serial number, a partition by its disk's and its own",
          "[block]") {
  const test::FakeMachine machine;
  machine.put_device("sda", "8:0", "2097152");
  machine.put("sys/devices/sda/device/wwid", "naa.6001405abcdef\n");
  machine.put("sys/devices/sda/device/vpd_pg80", kSerialPage);
  machine.put("sys/devices/sda/device/vendor", "ATA     \n");
  machine.put("sys/devices/sda/device/model", "Disk One        \n");
  machine.put("sys/devices/sda/queue/rotational", "1\n");
  machine.put("sys/devices/sda/holders/dm-0", "");
  machine.put("sys/devices/sda/slaves/sdx", "");
  machine.put("sys/devices/sda/dm/uuid", "mpath-3600a\n");
  machine.put_device("sda/sda1", "8:1", "2048");
  machine.put("sys/devices/sda/sda1/partition", "1\n");
  machine.put("sys/devices/sda/sda1/uevent", "MAJOR=8\nPARTN=1\nPARTUUID=ABCD-01\n");
  machine.link("dev/disk/by-id/wwn-0x6001405abcdef", "../../sda");
  machine.link("dev/disk/by-id/ata-Disk_One", "../../sda");
  machine.link("dev/disk/by-id/wwn-0x6001405abcdef-part1", "../../sda1");

  const DeviceIdentity disk = machine.identity("sda");
  CHECK(disk.wwn == "naa.6001405abcdef");
  CHECK(disk.serial == "WD-1234");
  CHECK(disk.vendor == "ATA");
  CHECK(disk.model == "Disk One");
  CHECK(disk.size_bytes == std::uint64_t{1} << 30);
  CHECK(disk.rotational);
  CHECK(disk.lasts());
  CHECK(disk.partitions == std::vector<std::string>{"sda1"});
  CHECK(disk.holders == std::vector<std::string>{"dm-0"});
  CHECK(disk.stands_on == std::vector<std::string>{"sdx"});
  CHECK(disk.mapper_uuid == "mpath-3600a");
  CHECK(disk.by_id == std::vector<std::string>{"ata-Disk_One", "wwn-0x6001405abcdef"});
  CHECK(disk.whole_disk.empty());

  const DeviceIdentity part = machine.identity("sda1");
  CHECK(part.whole_disk == "sda");
  CHECK(part.partition_uuid == "abcd-01");
  CHECK(part.wwn == disk.wwn);
  CHECK(part.rotational);
  CHECK(part.size_bytes == 1U << 20);
  CHECK(part.by_id == std::vector<std::string>{"wwn-0x6001405abcdef-part1"});
}

TEST_CASE("virtio and NVMe disks are known by what they have", "[block]") {
  const test::FakeMachine machine;
  machine.put_device("vda", "254:0", "8");
  machine.put("sys/devices/vda/serial", "d-bp1abc\n");
  machine.put_device("nvme0n1", "259:0", "8");
  machine.put("sys/devices/nvme0n1/wwid", "eui.0025385b71b01234\n");
  machine.put("sys/devices/nvme0n1/device/serial", "S4EW   \n");
  CHECK(machine.identity("vda").serial == "d-bp1abc");
  CHECK(machine.identity("vda").wwn.empty());
  CHECK(machine.identity("nvme0n1").wwn == "eui.0025385b71b01234");
  CHECK(machine.identity("nvme0n1").serial == "S4EW");
}

TEST_CASE("Disks are listed without partitions, RAM disks and unused loop devices", "[block]") {
  const test::FakeMachine machine;
  int minor_number = 10;
  for (const char* name : {"sdb", "sda", "ram0", "zram0", "loop1"}) {
    machine.put_device(name, "8:" + std::to_string(++minor_number), "8");
  }
  machine.put_device("loop0", "7:0", "0");
  machine.put_device("sda/sda1", "8:1", "8");
  std::string names;
  const std::vector<DeviceIdentity> disks = machine.directory.list_disks().value();
  for (const DeviceIdentity& disk : disks) names += disk.kernel_name + " ";
  CHECK(names == "loop1 sda sdb ");
  CHECK_FALSE(machine.identity("sda").lasts());
  CHECK(DeviceDirectory(machine.folder / "none").list_disks()->empty());
}

TEST_CASE("The marks of a disk are found by its name and by its number", "[block]") {
  const test::FakeMachine machine;
  machine.put_device("vdb", "254:16", "8");
  machine.put("sys/devices/vdb/serial", "d-1\n");
  machine.put_device("loop0", "7:0", "8");
  machine.put("sys/devices/loop0/loop/backing_file", "/srv/d-2.img\n");
  const DeviceMarks marks = machine.directory.marks_of("vdb").value();
  CHECK(marks.serial == "d-1");
  CHECK(marks.backing_file.empty());
  CHECK(machine.directory.marks_of(makedev(254, 16)).value() == marks);
  CHECK(machine.directory.marks_of("loop0")->backing_file == "/srv/d-2.img");
  CHECK(machine.directory.marks_of("vdc").error().code == Code::kNotFound);
  CHECK(machine.directory.marks_of("../vdb").error().code == Code::kNotFound);
  CHECK(machine.directory.marks_of(makedev(254, 17)).error().code == Code::kNotFound);
  machine.put_device("loop1", "7:1", "0");
  machine.put_device("zram0", "252:0", "8");
  CHECK(machine.directory.disk_names() == std::vector<std::string>{"loop0", "vdb"});
}

TEST_CASE("A device that is not there is not found, and no name leads out of sysfs", "[block]") {
  const test::FakeMachine machine;
  machine.put_device("sda", "8:0", "8");
  for (const char* name : {"sdx", "", "..", "sda/..", "../../devices/sda"}) {
    CAPTURE(name);
    CHECK(machine.directory.identify_name(name).error().code == Code::kNotFound);
  }
  CHECK(machine.directory.identify("/dev/null").error().code == Code::kInvalidArgument);
  CHECK(machine.directory.identify("/dev/none").error().code == Code::kNotFound);
}

TEST_CASE("A serial number page that is cut off or of another kind gives none", "[block]") {
  CHECK(parse_serial_page(kSerialPage) == "WD-1234");
  for (std::size_t size = 0; size < 14; ++size) CHECK(parse_serial_page(kSerialPage.substr(0, size)).empty());
  std::string other = kSerialPage;
  other[1] = '\x83';
  CHECK(parse_serial_page(other).empty());
}

std::string message(std::initializer_list<std::string> parts) {
  std::string out;
  for (const std::string& part : parts) out += part + '\0';
  return out;
}

TEST_CASE("A uevent of a block device is read", "[block]") {
  const auto event = parse_uevent(message(
      {"change@/devices/virtual/block/loop3", "ACTION=change", "DEVPATH=/devices/virtual/block/loop3",
       "SUBSYSTEM=block", "RESIZE=1", "MAJOR=7", "MINOR=3", "DEVNAME=loop3", "DEVTYPE=disk", "SEQNUM=9"}));
  CHECK(event == DeviceEvent{"change", "loop3", false, 7, 3, true});
  const auto part = parse_uevent(message(
      {"add@/devices/x/sda1", "SUBSYSTEM=block", "DEVNAME=sda1", "DEVTYPE=partition", "MAJOR=8", "MINOR=1"}));
  CHECK(part == DeviceEvent{"add", "sda1", true, 8, 1, false});
}

TEST_CASE("What is no uevent of a block device is passed over", "[block]") {
  const std::string net = message({"add@/devices/x", "SUBSYSTEM=net", "DEVNAME=x"});
  const std::string udev = std::string("libudev\0\xfe\xed\xca\xfe", 12);
  for (const std::string& text :
       {net, udev, std::string(), std::string("\0\0", 2), message({"add@/devices/x", "SUBSYSTEM=block"}),
        message({"@/x", "SUBSYSTEM=block", "DEVNAME=x"}), message({"add", "SUBSYSTEM=block", "DEVNAME=x"})}) {
    CHECK(parse_uevent(text) == std::nullopt);
  }
}

}  // namespace
}  // namespace holdfast::block

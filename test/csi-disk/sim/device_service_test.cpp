#include "csi-disk/sim/device_service.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "csi-disk/backend/alibaba_disks.h"
#include "csi-disk/sim/loop_bays.h"
#include "csi-disk/sim/loop_device.h"
#include "test/catch.h"
#include "test/cloud/sim_cloud.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::disk {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kPatient{5000};
constexpr std::uint64_t kGib = std::uint64_t{1} << 30;

/// A simulated region whose disks are loop devices. It can be killed and started again.
struct Devices {
  Devices() { start(); }
  ~Devices() {
    cloud.reset();
    service->stop();
  }
  Devices(const Devices&) = delete;
  Devices& operator=(const Devices&) = delete;

  void start() {
    cloud.reset();
    api.reset();
    service = std::make_unique<DeviceService>(
        clock, DiskShop{.nodes = {{"i-1", "sim-1a"}, {"i-2", "sim-1a"}}}, images, bays,
        [this](const std::string& words) { notes.push_back(words); });
    cloud = std::make_unique<test::SimCloud>(*service, folder / "state");
    api = std::make_unique<cloud::AlibabaApi>(
        http, credentials, clock,
        cloud::Endpoint{.url = cloud->url(), .version = std::string(AlibabaDisks::kVersion)});
    disks = std::make_unique<AlibabaDisks>(*api, "sim-1");
  }
  std::string create(const std::string& snapshot = {}) {
    return disks
        ->create_disk({.name = "pvc", .gib = 1, .performance = {.type = "cloud_auto"}, .snapshot = snapshot},
                      "", kPatient)
        .value();
  }
  [[nodiscard]] fs::path link(const std::string& id) const {
    return folder / "by-id" / ("virtio-" + serial_of(id));
  }
  [[nodiscard]] std::map<std::string, std::string> loops() const {
    return loops_below(folder / "disks").value();
  }

  test::TemporaryFolder folder;
  SystemClock clock;
  DiskImages images{folder.path()};
  LoopBays bays{folder / "disks", folder / "by-id"};
  std::vector<std::string> notes;
  std::unique_ptr<DeviceService> service;
  std::unique_ptr<test::SimCloud> cloud;
  test::FixedCredentials credentials;
  cloud::CurlClient http{"test"};
  std::unique_ptr<cloud::AlibabaApi> api;
  std::unique_ptr<AlibabaDisks> disks;
};

void write_at(const fs::path& device, off_t at, const std::string& text) {
  const Fd fd(::open(device.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(fd.valid());
  REQUIRE(::pwrite(fd.get(), text.data(), text.size(), at) == static_cast<ssize_t>(text.size()));
  REQUIRE(::fsync(fd.get()) == 0);
}
std::string read_at(const fs::path& device, off_t at, std::size_t size) {
  const Fd fd(::open(device.c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(fd.valid());
  std::string text(size, '\0');
  REQUIRE(::pread(fd.get(), text.data(), size, at) == static_cast<ssize_t>(size));
  return text;
}
std::string content_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}
std::uint64_t size_of(const fs::path& device) {
  const Fd fd(::open(device.c_str(), O_RDONLY | O_CLOEXEC));
  return static_cast<std::uint64_t>(::lseek(fd.get(), 0, SEEK_END));
}

TEST_CASE_METHOD(Devices, "a disk is a device while it is attached, and keeps what was written to it",
                 "[disk]") {
  const std::string id = create();
  CHECK(loops().empty());
  REQUIRE(disks->attach_disk(id, "i-1", kPatient));
  REQUIRE(fs::exists(link(id)));
  CHECK(fs::read_symlink(link(id)) == loops().at(serial_of(id)));
  CHECK(size_of(link(id)) == kGib);
  constexpr off_t kFar = 1'000'000'000;
  write_at(link(id), kFar, "of i-1");
  REQUIRE(disks->grow_disk(id, 2, "", kPatient));
  CHECK(size_of(link(id)) == 2 * kGib);
  REQUIRE(disks->detach_disk(id, "i-1", kPatient));
  CHECK_FALSE(fs::exists(fs::symlink_status(link(id))));
  CHECK(loops().empty());
  REQUIRE(disks->attach_disk(id, "i-2", kPatient));
  CHECK(read_at(link(id), kFar, 6) == "of i-1");
  REQUIRE(disks->detach_disk(id, "i-2", kPatient));
  REQUIRE(disks->delete_disk(id, kPatient));
  CHECK_FALSE(fs::exists(images.disk(serial_of(id))));
  CHECK(notes.empty());
}

TEST_CASE_METHOD(Devices, "a disk that is in use is not pulled out", "[disk]") {
  const std::string id = create();
  REQUIRE(disks->attach_disk(id, "i-1", kPatient));
  {
    const Fd holder(::open(link(id).c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
    REQUIRE(holder.valid());
    const auto refused = disks->detach_disk(id, "i-1", kPatient);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == "OperationConflict");
    CHECK(disks->disks({id}, kPatient)->front().state == DiskState::kInUse);
    CHECK(fs::exists(link(id)));
  }
  CHECK(disks->detach_disk(id, "i-1", kPatient));
}

TEST_CASE_METHOD(Devices, "a snapshot holds what was there when it was cut", "[disk]") {
  const std::string id = create();
  REQUIRE(disks->attach_disk(id, "i-1", kPatient));
  write_at(link(id), 4096, "before");
  const std::string cut = disks->create_snapshot({.name = "s", .disk = id}, "", kPatient).value();
  write_at(link(id), 4096, "after!");
  const std::string copy = create(cut);
  REQUIRE(disks->attach_disk(copy, "i-1", kPatient));
  CHECK(read_at(link(copy), 4096, 6) == "before");
  CHECK(read_at(link(id), 4096, 6) == "after!");
}

TEST_CASE_METHOD(Devices, "a cloud that was killed finds its devices, and one that stopped makes them again",
                 "[disk]") {
  const std::string id = create();
  const std::string lost = create();
  REQUIRE(disks->attach_disk(id, "i-1", kPatient));
  REQUIRE(disks->attach_disk(lost, "i-1", kPatient));
  const std::string before = loops().at(serial_of(id));
  fs::remove(link(id));
  REQUIRE(remove_loop(loops().at(serial_of(lost))));
  start();
  CHECK(loops().at(serial_of(id)) == before);
  CHECK(fs::exists(link(id)));
  CHECK(fs::exists(link(lost)));
  service->stop();
  CHECK(loops().empty());
  start();
  CHECK(fs::exists(link(id)));
  REQUIRE(disks->detach_disk(id, "i-1", kPatient));
  CHECK(loops().size() == 1);
}

TEST_CASE_METHOD(Devices, "a disk without its image is told, never blank instead, and stops no other",
                 "[disk]") {
  const std::string id = create();
  const std::string other = create();
  const fs::path image = images.disk(serial_of(id));
  fs::rename(image, folder / "away");
  start();
  REQUIRE(notes.size() == 1);
  CHECK_THAT(notes.front(), Catch::Contains(image.string() + " is not there"));
  REQUIRE(disks->attach_disk(other, "i-1", kPatient));
  const auto refused = disks->attach_disk(id, "i-1", kPatient);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "InvalidDisk.ContentLost");
  CHECK(disks->disks({id}, kPatient)->front().state == DiskState::kAvailable);
  CHECK_FALSE(fs::exists(image));
  SECTION("it can be deleted") { CHECK(disks->delete_disk(id, kPatient)); }
  SECTION("its image can be put back") {
    fs::rename(folder / "away", image);
    CHECK(disks->attach_disk(id, "i-1", kPatient));
    CHECK(fs::exists(link(id)));
  }
}

TEST_CASE_METHOD(Devices, "what no catalogue knows is set aside at the start, and never removed", "[disk]") {
  const std::string id = create();
  const std::string deleted = create();
  const fs::path strange = images.disk("holiday");
  std::ofstream(strange) << "photographs";
  REQUIRE(disks->delete_disk(deleted, kPatient));
  CHECK_FALSE(fs::exists(images.disk(serial_of(deleted))));
  start();
  const fs::path aside = folder / "lost+found" / "holiday.img";
  REQUIRE(notes.size() == 1);
  CHECK_THAT(notes.front(), Catch::Contains("is " + aside.string() + " now"));
  CHECK_FALSE(fs::exists(strange));
  std::ofstream(strange) << "more of them";
  start();
  CHECK(content_of(aside) == "photographs");
  CHECK(content_of(aside.string() + ".1") == "more of them");
  CHECK(fs::exists(images.disk(serial_of(id))));
}

TEST_CASE_METHOD(Devices, "without its state nothing is served, however often it is started", "[disk]") {
  const std::string id = create();
  cloud.reset();
  PosixFiles files;
  const auto begin = [&](const fs::path& state) {
    return cloud::sim::Front::open(files, folder / state, *service, {}, clock);
  };
  const auto other = begin("other state");
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Code::kFailedPrecondition);
  CHECK_THAT(other.error().message, Catch::Contains(images.disk(serial_of(id)).string()));
  fs::resize_file(folder / "state", fs::file_size(folder / "state") / 2);
  for (int i = 0; i < 3; ++i) {
    const auto torn = begin("state");
    REQUIRE_FALSE(torn);
    CHECK(torn.error().code == Code::kDataLoss);
    CHECK_THAT(torn.error().message, Catch::Contains("damaged"));
  }
  CHECK(fs::exists(images.disk(serial_of(id))));
}

TEST_CASE_METHOD(Devices, "a state, and a folder of disks, are one simulator's", "[disk]") {
  const std::string id = create();
  PosixFiles files;
  DiskImages same_images{folder.path()};
  DeviceService second(clock, {}, same_images, bays, [](const std::string&) {});
  const auto same_state = cloud::sim::Front::open(files, folder / "state", second, {}, clock);
  REQUIRE_FALSE(same_state);
  CHECK_THAT(same_state.error().message, Catch::Contains("another simulator keeps"));
  const auto same_devices = cloud::sim::Front::open(files, folder / "other", second, {}, clock);
  REQUIRE_FALSE(same_devices);
  CHECK_THAT(same_devices.error().message, Catch::Contains("another simulator has its disks in"));
  CHECK(fs::exists(images.disk(serial_of(id))));
}

TEST_CASE_METHOD(Devices, "an image that is there is never written over", "[disk]") {
  std::ofstream(images.disk("sim000000000001")) << "somebody's";
  const auto made =
      disks->create_disk({.name = "pvc", .gib = 1, .performance = {.type = "cloud_auto"}}, "", kPatient);
  REQUIRE_FALSE(made);
  CHECK(content_of(images.disk("sim000000000001")) == "somebody's");
  CHECK(disks->list_disks("", 10, kPatient)->items.empty());
}

}  // namespace
}  // namespace holdfast::disk

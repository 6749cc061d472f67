#include "csi-lvm/lvm/commands_lvm.h"

#include <cstdlib>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/files.h"
#include "csi-lvm/lvm/exec_runner.h"
#include "csi-lvm/lvm/known_disks.h"
#include "csi-lvm/volumes/local_volume.h"
#include "csi-lvm/volumes/volume_request.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

// What CommandsLvm makes of an LVM that answers so.
namespace holdfast::lvm {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAmple{20000};
constexpr const char* kNothing = R"({"report": []})";

CommandResult ended(int exit_status, std::string output, std::string errors = {}) {
  CommandResult result;
  result.exit_status = exit_status;
  result.output = std::move(output);
  result.errors = std::move(errors);
  return result;
}

std::string line_of(const Command& command) {
  std::string line;
  for (const std::string& word : command.argv) line += word + " ";
  return line;
}

bool has(const std::string& line, const std::string& part) { return line.find(part) != std::string::npos; }

// LVM, for which a function answers; `lines` are the commands that it was given.
class ScriptedLvm final : public Executor {
 public:
  using Answer = std::function<CommandResult(const std::string& line)>;

  Result<CommandResult> run(const Command& command) override {
    lines.push_back(line_of(command));
    return answer(lines.back());
  }
  Answer answer = [](const std::string&) { return ended(0, kNothing); };
  std::vector<std::string> lines;
};

struct Fixture {
  CommandsLvm make(LvmSettings settings) {
    queue = std::make_unique<LvmQueue>(std::make_unique<ExecRunner>(lvm, "/sbin/lvm"));
    return {*queue, std::move(settings)};
  }
  ScriptedLvm lvm;
  std::unique_ptr<LvmQueue> queue;
};

Status change(CommandsLvm& lvm, const std::string& group) {
  return lvm.change_tags({group, "pvc-1"}, {}, {"a"}, kAmple);
}

bool keeps(const std::string& line) { return has(line, "backup/archive=1"); }

TEST_CASE_METHOD(Fixture, "metadata is kept before a change of each group, and then not before every one",
                 "[lvm]") {
  LvmSettings settings;
  settings.archive_folder = "/state/archive";
  settings.between_archives = GENERATE(milliseconds{0}, milliseconds{std::chrono::hours{1}});
  const bool always = settings.between_archives == milliseconds{0};
  auto commands = make(settings);
  CHECK(commands.activate({"vg1", "pvc-1"}, kAmple).has_value());
  CHECK_FALSE(keeps(lvm.lines.back()));  // it changes none
  CHECK(change(commands, "vg1").has_value());
  CHECK(keeps(lvm.lines.back()));
  CHECK(change(commands, "vg1").has_value());
  CHECK(keeps(lvm.lines.back()) == always);
  lvm.answer = [](const std::string&) { return ended(5, "", "the disk is gone"); };
  CHECK_FALSE(change(commands, "vg2").has_value());
  lvm.answer = [](const std::string&) { return ended(0, ""); };
  CHECK(change(commands, "vg2").has_value());
  CHECK(keeps(lvm.lines.back()));  // the first one may have kept nothing
  CHECK(change(commands, "vg2").has_value());
  CHECK(keeps(lvm.lines.back()) == always);
  CHECK(commands.take_warnings().empty());
}

TEST_CASE_METHOD(Fixture, "where metadata cannot be kept, changes are made all the same, and people are told",
                 "[lvm]") {
  LvmSettings settings;
  settings.archive_folder = "/state/archive";
  auto commands = make(settings);
  lvm.answer = [](const std::string& line) {
    return keeps(line)
               ? ended(5, "", "  /state/archive/.lvm_1: write error failed: No space left on device\n")
               : ended(0, "");
  };
  CHECK(change(commands, "vg1").has_value());
  CHECK(change(commands, "vg1").has_value());
  CHECK(lvm.lines.size() == 3);  // it is not tried before each change
  const std::vector<std::string> warnings = commands.take_warnings();
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0] ==
        "the metadata of the volume group vg1 from before a change were not kept; make room in "
        "/state/archive: /state/archive/.lvm_1: write error failed: No space left on device");
  CHECK(commands.take_warnings().empty());
}

TEST_CASE_METHOD(Fixture, "a command has room for all tags that a volume can have", "[lvm]") {
  LvmSettings settings;
  settings.archive_folder = "/state/archive";
  settings.backup_folder = "/state/backup";
  settings.udev = false;
  auto commands = make(settings);
  VolumeRequest request;
  request.name = "snapshot-1";
  request.block = true;
  request.required_bytes = 1;
  request.source = ContentSource{.id = "a", .snapshot = false};
  request.parameters = parse_parameters({{"vgName", "vg"},
                                         {"stripes", "2"},
                                         {"stripeSize", "64Ki"},
                                         {"encrypted", "true"},
                                         {"lvTags", "a,b,c,d,e,f,g,h"}},
                                        true)
                           .value();
  VolumeGroup group;
  group.extent_bytes = 4 << 20;
  NewVolume wanted = planned(request, {"vg", "csi-snapshot-1"}, group, "cluster-1").value();
  for (const char* more : {"csi.source=a", "csi.from=volume", "csi.fs=maybe", "csi.fill=blocks"}) {
    wanted.tags.emplace_back(more);
  }
  CHECK(commands.create(wanted, kAmple).has_value());
  CHECK(lvm.lines.size() == 1);
}

// Of the group's two disks.
constexpr const char* kOne = "33LZGucRGA2dvqAVSig10TYOFuDbmC5v";
constexpr const char* kTwo = "xc552f8NyTdAIrq3x8GrrLQ08c3wvw3y";

// A host with one group, pvc-lin in it, whose disks our devices file names or not.
struct Host : Fixture {
  Host() {
    ::setenv("LVM_SYSTEM_DIR", folder.path().c_str(), 1);
    std::filesystem::create_directories(folder / "devices");
    lvm.answer = [this](const std::string& line) {
      if (has(line, "lvmdevices --config") && refused) return ended(5, "", "Failed to write the file.");
      if (has(line, "lvmdevices --config") && ++named == 2) write("holdfast.devices", both());
      if (has(line, "fullreport") && (named == 2 || has(line, "use_devicesfile=0"))) return ended(0, full);
      return ended(0, has(line, "fullreport") ? kNothing : "");
    };
    settings.is_ours = has_volumes_of_ours;
    settings.devices = []() -> Result<std::vector<MappedDevice>> { return std::vector<MappedDevice>(); };
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host() { ::unsetenv("LVM_SYSTEM_DIR"); }

  static std::string both() { return std::string("PVID=") + kOne + "\nPVID=" + kTwo + "\n"; }

  void write(const char* name, const std::string& text) {
    REQUIRE(PosixFiles().overwrite(folder / "devices" / name, text, 0600).has_value());
  }

  test::TemporaryFolder folder;
  std::string full =
      PosixFiles().read(std::string(HOLDFAST_FIXTURES) + "/lvm/full.json", 1 << 20).value().value();
  int named = 0;
  bool refused = false;
  LvmSettings settings;
};

TEST_CASE_METHOD(Host, "groups that an emptied devices file no longer names become ours again", "[lvm]") {
  auto commands = make(settings);
  const Inventory seen = commands.look(kAmple).value();
  REQUIRE(seen.group("volumegroup1") != nullptr);
  CHECK(named == 2);
  CHECK(commands.take_warnings().size() == 1);
  CHECK(commands.look(kAmple)->groups.size() == 1);
  CHECK(commands.take_warnings().empty());
}

TEST_CASE_METHOD(Host, "groups that cannot become ours again are no empty answer", "[lvm]") {
  refused = true;
  auto commands = make(settings);
  const auto seen = commands.look(kAmple);
  REQUIRE_FALSE(seen.has_value());
  CHECK(seen.error().code == Code::kUnavailable);
  INFO(seen.error().message);
  CHECK(has(seen.error().message, "holdfast.devices does not name all disks"));
  CHECK(has(seen.error().message, "volumegroup1"));
  CHECK(has(seen.error().message, "/dev/loop0, /dev/loop1"));
}

TEST_CASE_METHOD(Host, "a disk that our devices file names and LVM does not find is told", "[lvm]") {
  named = 2;
  write("holdfast.devices", both() + "PVID=pulled\n");
  auto commands = make(settings);
  CHECK(commands.look(kAmple)->unseen_disks == std::vector<std::string>{"pulled"});
  write("holdfast.devices", both());
  CHECK(commands.look(kAmple)->unseen_disks.empty());
}

// One with a plain volume alone.
struct PlainHost : Host {
  PlainHost() {
    write("holdfast.devices", "PVID=abc PVID=def");
    device.uuid = "LVM-" + std::string(32, 'g') + std::string(32, 'v');
    device.open = true;  // unlike what LVM reports
    settings.devices = [this]() -> Result<std::vector<MappedDevice>> {
      if (blind) return fail(Code::kPermissionDenied, "no device is to be seen");
      return std::vector{device};
    };
    lvm.answer = [this](const std::string& line) {
      return ended(0, report(has(line, "lv_active") ? kDeviceColumns : ""));
    };
  }
  [[nodiscard]] std::string report(const std::string& more) const {
    return R"({"report":[{"vg":[{"vg_name":"vg","vg_uuid":")" + std::string(32, 'g') +
           R"(","vg_extent_size":"4","vg_size":"8","vg_free":"4","vg_missing_pv_count":"0","vg_seqno":"1","vg_tags":""}],)"
           R"("lv":[{"lv_name":"no-such-link","lv_uuid":")" +
           std::string(32, 'v') + R"(","lv_layout":")" + layout +
           R"(","lv_size":"4","lv_tags":"","pool_lv":"","origin":"","lv_health_status":"","lv_metadata_size":"")" +
           more + "}]}]}";
  }
  [[nodiscard]] LogicalVolume volume(CommandsLvm& commands) {
    lvm.lines.clear();
    return commands.look(kAmple)->groups.at(0).volumes.at(0);
  }
  static constexpr const char* kDeviceColumns =
      R"(,"lv_attr":"","lv_active":"","lv_device_open":"0","lv_snapshot_invalid":"-1","lv_suspended":"0",)"
      R"("lv_inactive_table":"0","lv_kernel_major":"-1","lv_kernel_minor":"-1","data_percent":"","metadata_percent":"")";
  MappedDevice device;
  bool blind = false;
  std::string layout = "linear";
};

TEST_CASE_METHOD(PlainHost, "of plain volumes LVM tells what it has written down, and the kernel the rest",
                 "[lvm]") {
  // Without a link below /dev an active one counts as unsettled.
  device.uuid.back() = 'x';
  auto commands = make(settings);
  CHECK_FALSE(volume(commands).active);
  REQUIRE(lvm.lines.size() == 1);
  CHECK_FALSE(has(lvm.lines[0], "lv_active"));
  CHECK_FALSE(has(lvm.lines[0], "lv_attr"));
}

TEST_CASE_METHOD(PlainHost, "LVM is asked for all of what it alone can tell", "[lvm]") {
  std::size_t then = 2;  // the second time the same is seen
  SECTION("a device is unsettled, maybe because LVM is at work on it") { device.suspended = true; }
  SECTION("a device is not linked") {}
  SECTION("no device can be seen") { blind = true; }
  SECTION("a volume is not plain") {
    layout = "raid,raid1";
    then = 1;
  }
  auto commands = make(settings);
  CHECK_FALSE(volume(commands).open);
  REQUIRE(lvm.lines.size() == 2);
  CHECK(has(lvm.lines[1], "lv_active"));
  CHECK_FALSE(volume(commands).open);
  CHECK(lvm.lines.size() == then);
  CHECK(has(lvm.lines.back(), "lv_active"));
}

// The line of the group's second disk was lost.
struct HostOfPart : Host {
  HostOfPart() {
    write("holdfast.devices", std::string("PVID=") + kOne + "\n");
    std::string part = full;
    const auto change = [&part](const std::string& from, const std::string& to) {
      REQUIRE(has(part, from));
      part.replace(part.find(from), from.size(), to);
    };
    change(R"("vg_missing_pv_count":"0")", R"("vg_missing_pv_count":"1")");
    change("/dev/loop1", "[unknown]");
    const std::size_t disk = part.find("[unknown]");
    part.replace(part.find(R"("pv_missing":"0")", disk), 16, R"("pv_missing":"1")");
    lvm.answer = [this, part](const std::string& line) {
      if (has(line, "lvmdevices --config") && refused) return ended(5, "", "Failed to write the file.");
      if (has(line, "lvmdevices --config")) named += has(line, "--adddev /dev/loop1") ? 1 : 100;
      if (!has(line, "fullreport")) return ended(0, "");
      searched += has(line, "use_devicesfile=0") ? 1 : 0;
      return ended(0, named == 1 || has(line, "use_devicesfile=0") ? full : part);
    };
  }
  int searched = 0;
};

TEST_CASE_METHOD(HostOfPart, "a disk that our devices file no longer names becomes ours again", "[lvm]") {
  auto commands = make(settings);
  CHECK(commands.look(kAmple)->group("volumegroup1")->missing_disks == 0);
  CHECK(named == 1);
  CHECK(commands.take_warnings().size() == 1);
}

TEST_CASE_METHOD(HostOfPart, "a volume is made though a disk's line was lost, and LVM's advice is not told",
                 "[lvm]") {
  SECTION("of a group with volumes of ours") {}
  SECTION("of one that is empty") {
    settings.is_ours = [](const VolumeGroup&) { return false; };
  }
  auto commands = make(settings);
  const auto reports = lvm.answer;
  lvm.answer = [this, reports](const std::string& line) {
    if (!has(line, "lvcreate") || named == 1) return reports(line);
    return ended(5, "",
                 "  Cannot change VG volumegroup1 while PVs are missing.\n  See vgreduce --removemissing");
  };
  CHECK(
      commands
          .create({.name = {"volumegroup1", "pvc-1"}, .size_bytes = 4 << 20, .pool = {}, .tags = {}}, kAmple)
          .has_value());
  CHECK(named == 1);
}

TEST_CASE_METHOD(Host, "what LVM goes on to refuse is tried twice, and its words are told", "[lvm]") {
  named = 2;
  write("holdfast.devices", "PVID=abc PVID=def");
  auto commands = make(settings);
  int tried = 0;
  const auto reports = lvm.answer;
  lvm.answer = [&tried, reports](const std::string& line) {
    if (!has(line, "lvcreate")) return reports(line);
    ++tried;
    return ended(5, "", "  the disk is gone");
  };
  const auto check = [&tried](const Status& done) {
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == Code::kInternal);
    CHECK(has(done.error().message, "the disk is gone"));
    CHECK(std::exchange(tried, 0) == 2);
  };
  check(commands.create({.name = {"volumegroup1", "pvc-1"}, .size_bytes = 4 << 20, .pool = {}, .tags = {}},
                        kAmple));
  check(commands.create_pool({.name = {"volumegroup1", "pool1"}, .size_bytes = 4 << 20, .tags = {}}, kAmple));
  // For what there is no room for once is enough.
  const Status large = commands.create(
      {.name = {"volumegroup1", "pvc-1"}, .size_bytes = std::uint64_t{1} << 40, .pool = {}, .tags = {}},
      kAmple);
  CHECK(large.error().code == Code::kResourceExhausted);
  CHECK(tried == 1);
}

TEST_CASE_METHOD(HostOfPart,
                 "a group without a disk that does not come back is told of, and not searched often",
                 "[lvm]") {
  SECTION("it cannot be added") { refused = true; }
  SECTION("it is in another devices file") {
    write("other.devices", "PVID=xc552f8NyTdAIrq3x8GrrLQ08c3wvw3y\n");
  }
  auto commands = make(settings);
  for (int again = 0; again < 3; ++again) {
    CHECK(commands.look(kAmple)->group("volumegroup1")->missing_disks == 1);
  }
  CHECK(named == 0);
  CHECK(searched == 1);
  CHECK(commands.take_warnings().size() == (refused ? 1U : 0U));
}

// One whose group has no volume of ours, and whose disks our file named once.
struct EmptyHost : Host {
  EmptyHost() {
    settings.is_ours = [](const VolumeGroup&) { return false; };
    settings.known_disks = folder / "disks";
  }
  void know(const std::set<std::string>& ids) {
    REQUIRE(save_known_disks(files, settings.known_disks, ids).has_value());
  }
  PosixFiles files;
};

TEST_CASE_METHOD(EmptyHost, "a group without volumes that our devices file named becomes ours again",
                 "[lvm]") {
  named = 2;
  write("holdfast.devices", both());
  CHECK(make(settings).look(kAmple)->groups.size() == 1);
  named = 0;
  SECTION("it was emptied") { write("holdfast.devices", ""); }
  SECTION("it is gone") { std::filesystem::remove(folder / "devices/holdfast.devices"); }
  SECTION("it was made anew, with a disk that was not in it") { write("holdfast.devices", "PVID=abc\n"); }
  auto commands = make(settings);
  CHECK(commands.look(kAmple)->group("volumegroup1") != nullptr);
  CHECK(named == 2);
  CHECK(commands.take_warnings().size() == 1);
  CHECK(commands.look(kAmple)->groups.size() == 1);
  CHECK(named == 2);
  CHECK(commands.take_warnings().empty());
}

TEST_CASE_METHOD(EmptyHost, "a group of which our devices file did not name every disk stays its owner's",
                 "[lvm]") {
  SECTION("some of them") { know({kOne}); }
  SECTION("none") { know({"abc"}); }
  SECTION("what was kept is damaged") {
    know({kOne, kTwo});
    REQUIRE(files.overwrite(settings.known_disks, std::string(kOne) + "\n" + kTwo, 0600).has_value());
  }
  auto commands = make(settings);
  CHECK(commands.look(kAmple)->groups.empty());
  CHECK(named == 0);
}

TEST_CASE_METHOD(EmptyHost, "where what our devices file names cannot be kept, groups are told all the same",
                 "[lvm]") {
  named = 2;
  write("holdfast.devices", both());
  settings.known_disks = folder / "absent/disks";
  auto commands = make(settings);
  for (int again = 0; again < 3; ++again) CHECK(commands.look(kAmple)->groups.size() == 1);
  CHECK(commands.take_warnings().size() == 1);
}

TEST_CASE_METHOD(Host, "without a devices file none of the host's groups is ours", "[lvm]") {
  SECTION("somebody tells ours from others'") {
    settings.is_ours = [](const VolumeGroup&) { return false; };
  }
  SECTION("nobody does") { settings.is_ours = nullptr; }
  lvm.answer = [this](const std::string&) { return ended(0, full); };  // LVM looks at all disks then
  auto commands = make(settings);
  CHECK(commands.look(kAmple)->groups.empty());
  write("holdfast.devices", both());
  CHECK(commands.look(kAmple)->groups.size() == 1);
}

// Our file names a disk of another group, and no more those of volumegroup1.
struct HostWithout : PlainHost {
  HostWithout() {
    settings.known_disks = folder / "disks";
    REQUIRE(save_known_disks(files, settings.known_disks, {kOne, kTwo, "abc"}).has_value());
    write("holdfast.devices", "PVID=abc\n");
    const auto plain = lvm.answer;
    lvm.answer = [this, plain](const std::string& line) {
      if (has(line, "use_devicesfile=0")) return ended(0, full);
      if (!has(line, "lvmdevices --config")) return named == 2 ? ended(0, full) : plain(line);
      ++named;
      return ended(0, "");
    };
  }
  PosixFiles files;
};

TEST_CASE_METHOD(HostWithout, "a group that our devices file lost beside others becomes ours by its volumes",
                 "[lvm]") {
  auto commands = make(settings);
  CHECK(commands.look(kAmple)->group("volumegroup1") != nullptr);
  CHECK(named == 2);
}

TEST_CASE_METHOD(HostWithout, "a group without volumes that was taken out of our devices file is let go",
                 "[lvm]") {
  settings.is_ours = [](const VolumeGroup&) { return false; };
  CHECK(make(settings).look(kAmple)->group("vg") != nullptr);
  CHECK(named == 0);
  CHECK(load_known_disks(files, settings.known_disks).value() == std::set<std::string>{"abc"});
}

TEST_CASE_METHOD(Host, "groups of others are left to them", "[lvm]") {
  SECTION("without a volume of ours") {
    settings.is_ours = [](const VolumeGroup&) { return false; };
  }
  SECTION("named by another devices file") {
    write("other.devices",
          "VERSION=1.1.1\nIDTYPE=devname DEVNAME=/dev/x PVID=33LZGucRGA2dvqAVSig10TYOFuDbmC5v\n");
  }
  auto commands = make(settings);
  CHECK(commands.look(kAmple)->groups.empty());
  CHECK(named == 0);
}

}  // namespace
}  // namespace holdfast::lvm

#include <sys/mount.h>
#include <unistd.h>

#include <vector>

#include "common/block/preparer.h"
#include "common/block/wipe.h"
#include "test/block/loop_device.h"
#include "test/catch.h"
#include "test/fakes/shell.h"

// The way of a volume from new to mountable, on real disks.
namespace holdfast::block {
namespace {

using test::LoopDevice;
using Kind = Provenance::Kind;

constexpr std::uint64_t kDisk = std::uint64_t{64} << 20;
constexpr std::chrono::minutes kAmple{1};

class RememberedRecord final : public ProvenanceRecord {
 public:
  Status write(const Provenance& provenance) override {
    if (fails_at == static_cast<int>(written.size()))
      return fail(Code::kUnavailable, "the record is out of reach");
    written.push_back(provenance);
    return {};
  }
  std::vector<Provenance> written;
  int fails_at = -1;
};

struct Node {
  PrepareRequest request(const Provenance& provenance) const {
    PrepareRequest wanted;
    wanted.volume = "pvc-1";
    wanted.device = disk.path();
    wanted.provenance = provenance;
    return wanted;
  }
  Result<std::string> prepare(const PrepareRequest& wanted, bool cancelled = false) {
    return preparer.prepare(wanted, record, kAmple, [cancelled] { return cancelled; });
  }
  // Until 12 MiB were read whole, and no further.
  void read_12_mib(const PrepareRequest& wanted) {
    int asked = 0;
    refuses(preparer.prepare(wanted, record, kAmple, [&asked] { return ++asked == 12; }), Code::kAborted);
  }
  // At 9 MiB, where no superblock is looked for.
  static void write_to(const LoopDevice& disk) {
    test::output_of("printf kept | dd of=" + disk.path() + " bs=4096 seek=2304 conv=notrunc status=none");
  }
  void refuses(const Result<std::string>& done, Code code) const {
    REQUIRE_FALSE(done.has_value());
    INFO(done.error().message);
    CHECK(done.error().code == code);
  }

  const LoopDevice disk{kDisk};
  SystemExecutor executor;
  FileSystems file_systems{executor};
  LuksEncryption encryption{executor};
  Preparer preparer{file_systems, encryption};
  RememberedRecord record;
};

TEST_CASE_METHOD(Node, "A new volume is formatted once, and the record is ahead of the deed", "[block]") {
  CHECK(prepare(request({Kind::kNew, {}})) == "ext4");
  REQUIRE(record.written.size() == 2);
  CHECK(record.written[0].kind == Kind::kFormatting);
  CHECK(record.written[1].kind == Kind::kFormatted);
  const Provenance made = record.written[1];
  CHECK(prepare(request(made)) == "ext4");
  CHECK(record.written.size() == 2);
  PrepareRequest refused_since = request(made);
  refused_since.mkfs_options = {"-O", "meta_bg"};
  CHECK(prepare(refused_since) == "ext4");
  refused_since.provenance = {};
  CHECK(prepare(refused_since) == "ext4");
}

TEST_CASE_METHOD(Node, "A format that was cut off at either record goes on", "[block]") {
  for (const int cut : {0, 1}) {
    DYNAMIC_SECTION("record " << cut) {
      record.fails_at = cut;
      refuses(prepare(request({Kind::kNew, {}})), Code::kUnavailable);
      record.fails_at = -1;
      const Provenance left = record.written.empty() ? Provenance{Kind::kNew, {}} : record.written.back();
      CHECK(prepare(request(left)) == "ext4");
      CHECK(record.written.back().kind == Kind::kFormatted);
    }
  }
}

TEST_CASE_METHOD(Node, "A volume that was formatted and reads blank is never formatted again", "[block]") {
  REQUIRE(prepare(request({Kind::kNew, {}})).has_value());
  const Provenance made = record.written.back();
  REQUIRE(zero_places(*SystemBlockDevice::open(disk.path(), Access::kExclusive).value()).has_value());
  refuses(prepare(request(made)), Code::kFailedPrecondition);
  CHECK(record.written.size() == 2);
}

TEST_CASE_METHOD(Node, "A volume of unknown past is read whole first, and goes on where it stopped",
                 "[block]") {
  const PrepareRequest unknown = request({Kind::kMaybe, {}});
  refuses(prepare(unknown, true), Code::kAborted);
  CHECK(record.written.empty());
  CHECK(prepare(unknown) == "ext4");
  PrepareRequest forbidden = request({Kind::kNone, {}});
  forbidden.format_if_blank = false;
  const LoopDevice blank(kDisk);
  forbidden.device = blank.path();
  refuses(prepare(forbidden), Code::kFailedPrecondition);
}

TEST_CASE_METHOD(Node, "A volume that was written to while it was read whole is read from the start",
                 "[block]") {
  const PrepareRequest unknown = request({Kind::kMaybe, {}});
  read_12_mib(unknown);
  write_to(disk);
  refuses(prepare(unknown), Code::kFailedPrecondition);
  CHECK(record.written.empty());
}

TEST_CASE_METHOD(Node, "What was read of one disk is not known of another that a volume of that name has",
                 "[block]") {
  PrepareRequest unknown = request({Kind::kMaybe, {}});
  read_12_mib(unknown);
  const LoopDevice other(kDisk);
  write_to(other);
  unknown.device = other.path();
  refuses(prepare(unknown), Code::kFailedPrecondition);
  CHECK(record.written.empty());
}

TEST_CASE_METHOD(Node, "A file system that somebody else made is mounted as it is found", "[block]") {
  test::output_of("mkfs.ext3 -q " + disk.path());
  CHECK(prepare(request({Kind::kNone, {}})) == "ext3");
  CHECK(record.written.empty());
  PrepareRequest xfs = request({Kind::kNone, {}});
  xfs.fs_type = "xfs";
  refuses(prepare(xfs), Code::kFailedPrecondition);
}

TEST_CASE_METHOD(Node, "A type or an option that cannot be is refused before the device is looked at",
                 "[block]") {
  PrepareRequest wrong = request({Kind::kNew, {}});
  wrong.device = "/dev/nothing";
  wrong.fs_type = "ntfs";
  refuses(prepare(wrong), Code::kInvalidArgument);
  wrong.fs_type = "ext4";
  wrong.mkfs_options = {"-d", "/etc"};
  refuses(prepare(wrong), Code::kInvalidArgument);
  wrong.mkfs_options.clear();
  refuses(prepare(wrong), Code::kNotFound);
}

}  // namespace
}  // namespace holdfast::block

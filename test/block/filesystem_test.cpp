#include "common/block/filesystem.h"

#include <set>

#include "common/block/blank_proof.h"
#include "common/block/mkfs_options.h"
#include "common/block/proof_places.h"
#include "common/block/wipe.h"
#include "test/block/fake_block_device.h"
#include "test/catch.h"

namespace holdfast::block {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

constexpr const char* kUuid = "0b0d1f2e-1111-4222-8333-444455556666";

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

TEST_CASE("mkfs options of size, layout, features and label are allowed", "[block]") {
  for (const char* text :
       {"", "-b 4096 -i 8192 -m 0", "-m0 -I 256", "-O ^has_journal,extent -L data_1",
        "-E stride=16,stripe_width=64,nodiscard", "-J size=64 -T largefile4", "-N 1000 -j",
        "-O project,quota", "-m 0.5 -b 1024", "-m 50 -i 65536", "-O ^64bit,^metadata_csum,^resize_inode"}) {
    CAPTURE(text);
    CHECK(check_mkfs_options(FsType::kExt4, split_words(text)));
  }
  for (const char* text : {"-i size=512 -n ftype=1", "-d su=64k,sw=4", "-m reflink=0,bigtime=0 -K",
                           "-l size=64m -s size=4096", "-d agcount=16 -b size=4096", "-i maxpct=5"}) {
    CAPTURE(text);
    CHECK(check_mkfs_options(FsType::kXfs, split_words(text)));
  }
  CHECK(check_mkfs_options(FsType::kExt3, split_words("-O dir_index,^resize_inode,large_file -m 1")));
  CHECK(check_mkfs_options(FsType::kVfat, split_words("-F 32 -n EFI -s 8")));
}

TEST_CASE("mkfs options that name a place, force, or escape the blank proof are refused", "[block]") {
  struct Case {
    FsType type;
    const char* text;
    const char* word;
  };
  const Case cases[] = {
      {FsType::kExt4, "-d /etc", "'-d'"},
      {FsType::kExt4, "-J device=/dev/sda", "'-J device=/dev/sda'"},
      {FsType::kExt4, "-J size=4,device=UUID=1", "'-J size=4,device=UUID=1'"},
      {FsType::kExt4, "-O journal_dev", "'-O journal_dev'"},
      {FsType::kExt4, "-O extent,bigalloc", "'-O extent,bigalloc'"},
      {FsType::kExt4, "-O BIGALLOC", "'-O BIGALLOC'"},
      {FsType::kExt4, "-O Journal_dev", "'-O Journal_dev'"},
      {FsType::kExt4, "-O FEATURE_I3", "'-O FEATURE_I3'"},
      {FsType::kExt4, "-O feature_r9", "'-O feature_r9'"},
      {FsType::kExt4, "-O ^FEATURE_C2", "'-O ^FEATURE_C2'"},
      {FsType::kExt4, "-O sparse_super2", "'-O sparse_super2'"},
      {FsType::kExt4, "-O ^sparse_super", "'-O ^sparse_super'"},
      {FsType::kExt4, "-O meta_bg", "'-O meta_bg'"},
      {FsType::kExt4, "-O verity", "'-O verity'"},
      {FsType::kExt3, "-O extents", "'-O extents'"},
      {FsType::kExt3, "-O 64bit", "'-O 64bit'"},
      {FsType::kExt3, "-O ^has_journal", "'-O ^has_journal'"},
      {FsType::kExt4, "-E stride=abc", "'-E stride=abc'"},
      {FsType::kExt4, "-E stride=", "'-E stride='"},
      {FsType::kExt4, "-E stride=k", "'-E stride=k'"},
      {FsType::kExt4, "-E stride=-1", "'-E stride=-1'"},
      {FsType::kExt4, "-J size=1.5", "'-J size=1.5'"},
      {FsType::kExt4, "-O none", "'-O none'"},
      {FsType::kExt4, "-O ^", "'-O ^'"},
      {FsType::kExt4, "-O ^^extent", "'-O ^^extent'"},
      {FsType::kExt4, "-E num_backup_sb=1", "'-E num_backup_sb=1'"},
      {FsType::kExt4, "-T hurd", "'-T hurd'"},
      {FsType::kExt4, "-b 65536", "'-b 65536'"},
      {FsType::kExt4, "-b 4097", "'-b 4097'"},
      {FsType::kExt4, "-m 200", "'-m 200'"},
      {FsType::kExt4, "-m 50.1", "'-m 50.1'"},
      {FsType::kExt4, "-m nan", "'-m nan'"},
      {FsType::kExt4, "-m 1e1", "'-m 1e1'"},
      {FsType::kExt4, "-m -1", "'-m -1'"},
      {FsType::kExt4, "-i 512", "'-i 512'"},
      {FsType::kExt4, "-I 8192", "'-I 8192'"},
      {FsType::kExt4, "-N 0", "'-N 0'"},
      {FsType::kExt4, "-N 99999999999", "'-N 99999999999'"},
      {FsType::kExt4, "-F", "'-F'"},
      {FsType::kExt4, "-n", "'-n'"},
      {FsType::kExt4, "-S", "'-S'"},
      {FsType::kExt4, "-U random", "'-U'"},
      {FsType::kExt4, "-t xfs", "'-t'"},
      {FsType::kExt4, "-z /tmp/undo", "'-z'"},
      {FsType::kExt4, "-l /tmp/bad", "'-l'"},
      {FsType::kExt4, "-g 8192", "'-g'"},
      {FsType::kExt4, "-C 65536", "'-C'"},
      {FsType::kExt4, "-E offset=1048576", "'-E offset=1048576'"},
      {FsType::kExt4, "-E stride=16,", "'-E stride=16,'"},
      {FsType::kExt4, "-b", "'-b '"},
      {FsType::kExt4, "-b -F", "'-b -F'"},
      {FsType::kExt4, "-L -F", "'-L -F'"},
      {FsType::kExt4, "-b 4096 /dev/sda", "'/dev/sda'"},
      {FsType::kExt4, "--help", "'--help'"},
      {FsType::kExt4, "-", "'-'"},
      {FsType::kExt4, "-m $(reboot)", "'-m $(reboot)'"},
      {FsType::kExt4, "-qF", "'-q F'"},
      {FsType::kXfs, "-l logdev=/dev/sda", "'-l logdev=/dev/sda'"},
      {FsType::kXfs, "-d file=1,name=x", "'-d file=1,name=x'"},
      {FsType::kXfs, "-d agcount=5", "'-d agcount=5'"},
      {FsType::kXfs, "-d agcount", "'-d agcount'"},
      {FsType::kXfs, "-d agcount=4,agcount=5", "'-d agcount=4,agcount=5'"},
      {FsType::kXfs, "-d agsize=64m", "'-d agsize=64m'"},
      {FsType::kXfs, "-b size=65536", "'-b size=65536'"},
      {FsType::kXfs, "-b size=1024", "'-b size=1024'"},
      {FsType::kXfs, "-s size=32768", "'-s size=32768'"},
      {FsType::kXfs, "-m uuid=1", "'-m uuid=1'"},
      {FsType::kXfs, "-p /etc/passwd", "'-p'"},
      {FsType::kXfs, "-r rtdev=x", "'-r'"},
      {FsType::kXfs, "-f", "'-f'"},
      {FsType::kXfs, "-c options=/x", "'-c'"},
      {FsType::kVfat, "-C x 100", "'-C'"},
      {FsType::kVfat, "-S 32768", "'-S 32768'"},
      {FsType::kVfat, "-F 64", "'-F 64'"},
      {FsType::kVfat, "-i 12345678", "'-i'"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.text) {
      const Status checked = check_mkfs_options(c.type, split_words(c.text));
      REQUIRE_FALSE(checked);
      CHECK(checked.error().code == Code::kInvalidArgument);
      CHECK(checked.error().message ==
            std::string("mkfsOptions: ") + c.word + " is not allowed for " + std::string(to_string(c.type)));
    }
  }
}

TEST_CASE("The file systems that are made have the names of a StorageClass", "[block]") {
  CHECK(parse_fs_type("").value() == FsType::kExt4);
  for (const FsType type : {FsType::kExt3, FsType::kExt4, FsType::kXfs, FsType::kVfat}) {
    CHECK(parse_fs_type(to_string(type)).value() == type);
  }
  CHECK(parse_fs_type("ntfs").error().message ==
        "fsType 'ntfs' is not supported; ext4, ext3, xfs and vfat are");
}

TEST_CASE("mkfs is told the uuid, and features that the kernel does not know are left out", "[block]") {
  struct Case {
    const char* name;
    FsType type;
    const char* options;
    bool legacy;
    Version tool;
    Version kernel;
    const char* words;
  };
  const std::string id = kUuid;
  const Case cases[] = {
      {"ext4", FsType::kExt4, "", false, {1, 47}, {6, 1}, "-q -F -t ext4 -U UUID -E nodiscard"},
      {"ext4, options are joined",
       FsType::kExt4,
       "-E stride=2 -m 0 -O ^extent -Eresize=9 -i8192",
       false,
       {1, 46},
       {6, 1},
       "-q -F -t ext4 -U UUID -E nodiscard,stride=2,resize=9 -O ^extent -m 0 -i8192"},
      {"ext4, an older kernel",
       FsType::kExt4,
       "-O quota",
       false,
       {1, 47},
       {5, 10},
       "-q -F -t ext4 -U UUID -E nodiscard -O ^orphan_file,quota"},
      {"ext3, legacy",
       FsType::kExt3,
       "",
       true,
       {1, 47},
       {6, 1},
       "-q -F -t ext3 -U UUID -E nodiscard -O ^orphan_file,^metadata_csum_seed"},
      {"ext4, a tool that does not know them",
       FsType::kExt4,
       "",
       true,
       {1, 46},
       {4, 18},
       "-q -F -t ext4 -U UUID -E nodiscard"},
      {"xfs", FsType::kXfs, "", false, {6, 1}, {6, 1}, "-q -f -K -m uuid=UUID -i nrext64=0"},
      {"xfs, a tool as old as the kernel",
       FsType::kXfs,
       "",
       false,
       {5, 10},
       {5, 10},
       "-q -f -K -m uuid=UUID"},
      {"xfs, legacy",
       FsType::kXfs,
       "",
       true,
       {6, 1},
       {6, 18},
       "-q -f -K -m uuid=UUID -m bigtime=0 -m inobtcount=0 -i nrext64=0"},
      {"xfs, what was asked for is not said twice",
       FsType::kXfs,
       "-m bigtime=1",
       true,
       {6, 1},
       {6, 18},
       "-q -f -K -m uuid=UUID -m inobtcount=0 -i nrext64=0 -m bigtime=1"},
      {"xfs, a new tool",
       FsType::kXfs,
       "",
       false,
       {6, 12},
       {6, 1},
       "-q -f -K -m uuid=UUID -i nrext64=0 -i exchange=0 -n parent=0"},
      {"vfat", FsType::kVfat, "-F 32", false, {4, 2}, {6, 1}, "-I -i 0b0d1f2e -F 32"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const FileSystemSpec spec{
          .type = c.type, .uuid = "UUID", .options = split_words(c.options), .legacy = c.legacy};
      FileSystemSpec used = spec;
      if (c.type == FsType::kVfat) used.uuid = kUuid;
      CHECK(joined(mkfs_words(used, c.tool, c.kernel)) == c.words);
    }
  }
}

TEST_CASE("Versions are found in what programs say", "[block]") {
  CHECK(find_version("mke2fs 1.47.0 (5-Feb-2023)\n\tUsing EXT2FS Library version 1.47.0") == Version{1, 47});
  CHECK(find_version("mkfs.xfs version 6.1.0") == Version{6, 1});
  CHECK(find_version("4.18.0-305.el8.x86_64") == Version{4, 18});
  CHECK(find_version("ext4 5.10") == Version{5, 10});
  CHECK(find_version("none 7") == Version{});
  CHECK(running_kernel() >= kOldestKernel);
}

TEST_CASE("A kernel older than those that are served is refused by name", "[block]") {
  CHECK(check_kernel({4, 18}).has_value());
  CHECK(check_kernel({6, 1}).has_value());
  const std::string said = check_kernel({4, 14}).error().message;
  for (const char* part : {"Linux 4.14 runs on this machine, and volumes need Linux 4.18 or later: ",
                           "what is discarded of a disk", "label node NODE storage.holdfast.dev/none="}) {
    INFO(part);
    CHECK(said.find(part) != std::string::npos);
  }
}

TEST_CASE("A new uuid is random, and vfat keeps a part of it", "[block]") {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string uuid = new_uuid();
    CHECK(uuid.size() == 36);
    CHECK(uuid[14] == '4');
    CHECK(std::string("89ab").find(uuid[19]) != std::string::npos);
    seen.insert(uuid);
  }
  CHECK(seen.size() == 100);
  CHECK(uuid_as_found(FsType::kXfs, kUuid) == kUuid);
  CHECK(uuid_as_found(FsType::kVfat, kUuid) == "0B0D-1F2E");
}

TEST_CASE("A volume too small for its file system is out of range", "[block]") {
  CHECK(check_size(FsType::kXfs, 300 * kMiB));
  CHECK(check_size(FsType::kXfs, 300 * kMiB - 1).error().code == Code::kOutOfRange);
  CHECK(check_size(FsType::kExt4, 50 * kMiB));
  CHECK(check_size(FsType::kExt4, 1 * kMiB).error().message ==
        "ext4 needs at least 2097152 bytes, the volume has 1048576");
}

TEST_CASE("A check is made only before a mount that may write, unless it is omitted", "[block]") {
  for (const FsType type : {FsType::kExt3, FsType::kExt4, FsType::kVfat}) {
    CHECK(wants_check(type, false, false));
    CHECK_FALSE(wants_check(type, true, false));
    CHECK_FALSE(wants_check(type, false, true));
    CHECK_FALSE(wants_check(type, true, true));
  }
  CHECK_FALSE(wants_check(FsType::kXfs, false, false));
}

TEST_CASE("Only the exit status of a check that left no errors lets a volume be mounted", "[block]") {
  const auto judge = [](int status, int signal = 0) {
    return judge_check({.exit_status = status, .signal = signal, .output = "said\n", .errors = {}}, "/dev/x");
  };
  CHECK(judge(0).value() == CheckOutcome::kClean);
  CHECK(judge(1).value() == CheckOutcome::kMended);
  CHECK(judge(2).value() == CheckOutcome::kMended);
  CHECK(judge(3).value() == CheckOutcome::kMended);
  for (const int status : {4, 5, 6, 7}) CHECK(judge(status).error().code == Code::kFailedPrecondition);
  for (const int status : {8, 9, 12, 16, 32, 128}) CHECK(judge(status).error().code == Code::kInternal);
  CHECK(judge(0, 9).error().code == Code::kInternal);
  CHECK(judge(4).error().message ==
        "the file system on /dev/x has errors that only a person can mend (e2fsck /dev/x): said");
}

TEST_CASE("Zeroing the places makes a used device blank, and no more than that", "[block]") {
  constexpr std::uint64_t kSize = 1024 * kMiB;
  test::FakeBlockDevice device(kSize);
  for (const Extent& place : proof_places(kSize)) device.put(place.offset + 100, "left over");
  device.put(201 * kMiB, "data");
  REQUIRE(zero_places(device));
  CHECK(device.flushed());
  CHECK(look_at(device).value() == Content(Blank{}));
  CHECK_FALSE(device.zero_throughout());
}

TEST_CASE("A wipe reaches every byte, also when it is cut off and resumed", "[block]") {
  constexpr std::uint64_t kSize = 200 * kMiB + 8192;
  test::FakeBlockDevice device(kSize);
  for (std::uint64_t offset = 0; offset < kSize; offset += kMiB) device.put(offset, "tenant");
  device.put(kSize - 1, "x");
  WipeProgress progress = wipe_whole(device, 0, [] { return true; }).value();
  CHECK_FALSE(progress.done);
  CHECK(progress.next == 64 * kMiB);
  while (!progress.done) progress = wipe_whole(device, progress.next, [] { return true; }).value();
  CHECK(device.zero_throughout());
  CHECK(device.flushed());

  device.put(0, "x");
  CHECK(wipe_whole(device, 12345, [] { return false; }).value().done);
  CHECK(device.zero_throughout());
}

}  // namespace
}  // namespace holdfast::block

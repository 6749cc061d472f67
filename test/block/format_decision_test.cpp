#include "common/block/format_decision.h"

#include <cerrno>

#include "test/catch.h"

namespace holdfast::block {
namespace {

using Kind = Provenance::Kind;

constexpr const char* kUuid = "0b0d1f2e-1111-4222-8333-444455556666";
constexpr const char* kOther = "99999999-1111-4222-8333-444455556666";

// "format", "mount ext4", "prove", "refuse" or "refuse!" (abnormal), and the code of a refusal that is not
// the usual.
std::string word_of(const FormatDecision& decision) {
  if (std::holds_alternative<Format>(decision)) return "format";
  if (std::holds_alternative<NeedWholeDeviceProof>(decision)) return "prove";
  if (const auto* mount = std::get_if<Mount>(&decision)) return "mount " + mount->fs_type;
  const auto& refused = std::get<Refuse>(decision);
  std::string word = refused.abnormal ? "refuse!" : "refuse";
  if (refused.error.code != Code::kFailedPrecondition)
    word += " " + std::string(to_string(refused.error.code));
  return word;
}

struct Row {
  const char* name;
  Content content;
  // By what is known: new, formatting, formatted, maybe and none.
  std::array<const char*, 4> read_write;
  std::array<const char*, 4> read_only;
  const char* if_not_blank;  // maybe and none with formatIfBlank=false, read-write
};

const Row kRows[] = {
    {"blank places",
     Blank{},
     {"format", "format", "refuse!", "prove"},
     {"refuse", "refuse", "refuse!", "refuse"},
     "refuse"},
    {"all zero",
     Blank{true},
     {"format", "format", "refuse!", "format"},
     {"refuse", "refuse", "refuse!", "refuse"},
     "refuse"},
    {"the wanted type, our uuid",
     Signature{"ext4", kUuid},
     {"refuse", "format", "mount ext4", "mount ext4"},
     {"refuse", "refuse", "mount ext4", "mount ext4"},
     "mount ext4"},
    {"the wanted type, another uuid",
     Signature{"ext4", kOther},
     {"refuse", "format", "refuse!", "mount ext4"},
     {"refuse", "refuse", "refuse!", "mount ext4"},
     "mount ext4"},
    {"its older form",
     Signature{"ext3", kUuid},
     {"refuse", "format", "mount ext3", "mount ext3"},
     {"refuse", "refuse", "mount ext3", "mount ext3"},
     "mount ext3"},
    {"another file system",
     Signature{"xfs", kUuid},
     {"refuse", "refuse", "refuse!", "refuse"},
     {"refuse", "refuse", "refuse!", "refuse"},
     "refuse"},
    {"a physical volume",
     Signature{"LVM2_member", "x"},
     {"refuse", "refuse", "refuse!", "refuse"},
     {"refuse", "refuse", "refuse!", "refuse"},
     "refuse"},
    {"a partition table",
     Signature{"gpt", ""},
     {"refuse", "refuse", "refuse!", "refuse"},
     {"refuse", "refuse", "refuse!", "refuse"},
     "refuse"},
    {"data",
     HoldsData{0, "data of no known format"},
     {"refuse", "format", "refuse!", "refuse"},
     {"refuse", "refuse", "refuse!", "refuse"},
     "refuse"},
    {"a bad sector",
     Unreadable{0, EIO},
     {"refuse! UNAVAILABLE", "refuse! UNAVAILABLE", "refuse! UNAVAILABLE", "refuse! UNAVAILABLE"},
     {"refuse! UNAVAILABLE", "refuse! UNAVAILABLE", "refuse! UNAVAILABLE", "refuse! UNAVAILABLE"},
     "refuse! UNAVAILABLE"},
};

FormatQuestion question(Kind kind, const Content& content, bool if_blank, bool read_only) {
  return {.volume = "pvc-1",
          .device = "/dev/shop/pvc-1",
          .fs_type = "ext4",
          .provenance = {kind, kind == Kind::kFormatted ? kUuid : ""},
          .content = content,
          .format_if_blank = if_blank,
          .read_only = read_only};
}

TEST_CASE("Formatting is decided by what is known and by what is there, in all combinations", "[block]") {
  const std::pair<Kind, std::size_t> kinds[] = {
      {Kind::kNew, 0}, {Kind::kFormatting, 1}, {Kind::kFormatted, 2}, {Kind::kMaybe, 3}, {Kind::kNone, 3}};
  for (const Row& row : kRows) {
    for (const auto& [kind, column] : kinds) {
      for (const bool if_blank : {true, false}) {
        CAPTURE(row.name, to_string(Provenance{kind, kUuid}), if_blank);
        const char* wanted = column == 3 && !if_blank ? row.if_not_blank : row.read_write[column];
        CHECK(word_of(decide_format(question(kind, row.content, if_blank, false))) == wanted);
        CHECK(word_of(decide_format(question(kind, row.content, if_blank, true))) == row.read_only[column]);
      }
    }
  }
}

TEST_CASE("Nothing but proven emptiness, or our own unfinished mkfs, is ever formatted", "[block]") {
  for (const Row& row : kRows) {
    for (const Kind kind : {Kind::kNew, Kind::kFormatted, Kind::kMaybe, Kind::kNone}) {
      CAPTURE(row.name);
      const bool formats =
          std::holds_alternative<Format>(decide_format(question(kind, row.content, true, false)));
      CHECK((!formats || std::holds_alternative<Blank>(row.content)));
    }
  }
}

TEST_CASE("A refusal names the volume, what is there, and the cure", "[block]") {
  const auto text = [](Kind kind, const Content& content) {
    return std::get<Refuse>(decide_format(question(kind, content, true, false))).error.message;
  };
  CHECK(
      text(Kind::kNone, Signature{"xfs", kUuid}) ==
      "volume pvc-1 is not formatted: its device holds xfs 0b0d1f2e-1111-4222-8333-444455556666, but ext4 is "
      "wanted; if all that is on it may be lost, run on its node: holdfast volume allow-format "
      "/dev/shop/pvc-1 "
      "--lose-content");
  CHECK(text(Kind::kFormatted, Blank{}) ==
        "volume pvc-1 is not mounted: its device is blank, but we formatted it with uuid "
        "0b0d1f2e-1111-4222-8333-444455556666: its data is gone, restore it");
  CHECK(text(Kind::kNew, Unreadable{4096, EIO}) ==
        "volume pvc-1: its device cannot be read at byte 4096 (Input/output error)");
  CHECK(text(Kind::kFormatted, HoldsData{7, "data of no known format"}) ==
        "volume pvc-1 is not mounted: its device holds data of no known format at byte 7, but we formatted "
        "it with "
        "uuid 0b0d1f2e-1111-4222-8333-444455556666: its superblock is damaged (e2fsck -b or xfs_repair may "
        "mend it)");
}

TEST_CASE("A uuid is the same in capital letters", "[block]") {
  FormatQuestion asked = question(Kind::kFormatted, Signature{"vfat", "ab12-34cd"}, true, false);
  asked.fs_type = "vfat";
  asked.provenance.uuid = "AB12-34CD";
  CHECK(word_of(decide_format(asked)) == "mount vfat");
}

TEST_CASE("Provenance is read as it was written, and what is not understood proves nothing", "[block]") {
  for (const char* text : {"", "new", "formatting", "formatted:1-2", "maybe"}) {
    CHECK(to_string(parse_provenance(text)) == text);
  }
  CHECK(parse_provenance("formatted:1-2") == Provenance{Kind::kFormatted, "1-2"});
  for (const char* text : {"New", "new ", "formatted", "formatted:", "encrypted", "new\n"}) {
    CAPTURE(text);
    CHECK(parse_provenance(text).kind == Kind::kMaybe);
  }
}

}  // namespace
}  // namespace holdfast::block

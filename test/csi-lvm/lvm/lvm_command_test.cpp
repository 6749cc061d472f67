#include "csi-lvm/lvm/lvm_command.h"

#include "test/catch.h"

namespace holdfast::lvm {
namespace {

TEST_CASE("names are held against LVM's rules", "[lvm]") {
  struct Case {
    const char* name;
    std::string text;
    bool taken;
  };
  const Case cases[] = {
      {"a volume of a claim", "pvc-0f3f1d9e-0acf-4a0e-a5d4-8fb1f43e62e5", true},
      {"every character", "aZ09+_.-", true},
      {"the longest", std::string(127, 'a'), true},
      {"one longer", std::string(128, 'a'), false},
      {"nothing", "", false},
      {"a dot", ".", false},
      {"two dots", "..", false},
      {"three dots", "...", true},
      {"an option", "-y", false},
      {"a path", "vg0/lv", false},
      {"a blank", "a b", false},
      {"a quote", "a\"b", false},
      {"a newline", "a\nb", false},
      {"a letter beyond ASCII", "\xc3\xa4", false},
      {"one of LVM's snapshots", "snapshot0", false},
      {"one of LVM's moves", "pvmove0", false},
      {"the data of a pool", "pool0_tdata", false},
      {"the log of a mirror", "m_mlog", false},
      {"a word that only looks so", "my-snapshot", true},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(check_name(c.text).has_value() == c.taken); }
  }
}

TEST_CASE("a group and a volume must fit into one device name, where hyphens count twice", "[lvm]") {
  CHECK(check_volume_name("vg", std::string(124, 'a')).has_value());
  CHECK_FALSE(check_volume_name("vg", std::string(125, 'a')).has_value());
  CHECK(check_volume_name("v-g", std::string(122, 'a')).has_value());
  CHECK_FALSE(check_volume_name("v-g", std::string(123, 'a')).has_value());
  CHECK_FALSE(check_volume_name("v g", "a").has_value());
  CHECK_FALSE(check_volume_name("vg", "a/b").has_value());
}

TEST_CASE("tags are held against LVM's rules", "[lvm]") {
  for (const char* taken : {"csi.state=creating", "csi.cluster=0f3f/1d9e", "a+_.-/=!:&#z"}) {
    CHECK(check_tag(taken).has_value());
  }
  for (const std::string& refused : {std::string("-a"), std::string(), std::string("a b"), std::string("a,b"),
                                     std::string("a'b"), std::string("@a"), std::string(1025, 'a')}) {
    CHECK_FALSE(check_tag(refused).has_value());
  }
  CHECK(check_tag(std::string(1024, 'a')).has_value());
}

TEST_CASE("a device is a plain path below /dev", "[lvm]") {
  for (const char* taken :
       {"/dev/sdb1", "/dev/disk/by-id/wwn-0x5000c500", "/dev/disk/by-path/pci-0000:00:1f.2"}) {
    CHECK(check_device_path(taken).has_value());
  }
  for (const char* refused : {"", "/dev/", "sdb", "/dev/../etc/passwd", "/dev//sdb", "/dev/sd b", "/dev/sdb/",
                              "/tmp/sdb", "/dev/sdb;reboot", "/dev/\"sdb"}) {
    CHECK_FALSE(check_device_path(refused).has_value());
  }
}

TEST_CASE("a command with a word that LVM would take apart is refused, and the word named", "[lvm]") {
  for (const char* word : {"a b", "a\"b", "a'b", "a\\b", "a\nb", "", "$(reboot)", "a;b", "a`b"}) {
    DYNAMIC_SECTION(word) {
      const Status checked = check_command({Effect::kChanges, {"lvremove", "--yes", word}});
      REQUIRE_FALSE(checked.has_value());
      CHECK(checked.error().code == Code::kInvalidArgument);
      CHECK(checked.error().message.find("lvremove") != std::string::npos);
      CHECK(checked.error().message.find(word) != std::string::npos);
    }
  }
}

TEST_CASE("only the settings may hold blanks, and go to the library in quotes", "[lvm]") {
  const LvmCommand command{Effect::kReports, {"lvs", "--config", "a/b=0 c/d=[1]", "-o", "lv_name,lv_size"}};
  REQUIRE(check_command(command).has_value());
  CHECK(to_line(command) == R"(lvs --config "a/b=0 c/d=[1]" -o lv_name,lv_size)");
  CHECK_FALSE(check_command({Effect::kReports, {"lvs", "--config", "a=\"b\""}}).has_value());
  CHECK_FALSE(check_command({Effect::kReports, {"--config x"}}).has_value());
}

TEST_CASE("a command has a verb and no more words than the library takes", "[lvm]") {
  CHECK_FALSE(check_command({Effect::kReports, {}}).has_value());
  CHECK(check_command({Effect::kReports, std::vector<std::string>(60, "a")}).has_value());
  CHECK_FALSE(check_command({Effect::kReports, std::vector<std::string>(61, "a")}).has_value());
}

}  // namespace
}  // namespace holdfast::lvm

#include "csi-disk/volumes/disk_names.h"

#include <set>
#include <string>

#include "test/catch.h"

namespace holdfast::disk {
namespace {

TEST_CASE("a name that clouds take is the disk's as it is", "[disk]") {
  for (const char* const name : {"pvc-0f3f1d9e-0acf-4a0e-a5d4-8fb1f43e62e5", "data.1", "ab"}) {
    DYNAMIC_SECTION(name) { CHECK(disk_name_of(name) == name); }
  }
}

TEST_CASE("any other name becomes one that clouds take, and no two the same", "[disk]") {
  const std::string longest(128, 'n');
  std::set<std::string> seen;
  for (const std::string& name :
       {longest, longest.substr(1), std::string(61, 'n'), std::string("a"), std::string("1abc"),
        std::string("a b"), std::string("d\xc3\xbcsk"), std::string("csi-data"), std::string("-x"),
        std::string("http://x"), std::string("x\n"), std::string("x\0y", 3)}) {
    const std::string made = disk_name_of(name);
    CHECK(is_cloud_name(made));
    CHECK(made.starts_with("csi-"));
    CHECK(seen.insert(made).second);
    CHECK(seen.insert(disk_name_of(made)).second);
    CHECK(disk_name_of(name) == made);
  }
}

TEST_CASE("names of two clusters differ where no tag tells them apart", "[disk]") {
  CHECK(disk_name_of("pvc-1", "east") != disk_name_of("pvc-1", "west"));
  CHECK(disk_name_of("pvc-1", "east") == disk_name_of("pvc-1", "east"));
  CHECK(disk_name_of("b", "a") != disk_name_of("", "ab"));
}

TEST_CASE("snapshots of the driver's own have names of their own", "[disk]") {
  const std::set<std::string> names{clone_snapshot_name("pvc-1"), clone_snapshot_name("pvc-2"),
                                    last_snapshot_name("pvc-1", "one"), last_snapshot_name("pvc-1", "two"),
                                    disk_name_of("pvc-1", "pvc-1")};
  CHECK(names.size() == 5);
  for (const std::string& each : names) CHECK(is_cloud_name(each));
}

TEST_CASE("a token is that of its parts, wherever they begin", "[disk]") {
  CHECK(token_of({"a", "b"}) == token_of({"a", "b"}));
  CHECK(token_of({"ab", ""}) != token_of({"a", "b"}));
  CHECK(token_of({"a:1", "b"}) != token_of({"a", "1:b"}));
  CHECK(token_of({"a"}).size() == 40);
}

TEST_CASE("an id has the cloud's prefix and nothing that could break a request", "[disk]") {
  CHECK(is_id("d-bp18pbai447qverm3ttq", "d-"));
  CHECK(is_id("anything", ""));
  for (const char* const id : {"", "d-", "pvc-1", "d-1 ", "d-1,d-2", "d-\"", "d-1&Action=Delete", "d-\n"}) {
    DYNAMIC_SECTION(id) { CHECK_FALSE(is_id(id, "d-")); }
  }
}

}  // namespace
}  // namespace holdfast::disk

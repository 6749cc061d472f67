#include "cni-flannel/daemon/no_masquerade.h"

#include "test/catch.h"
#include "test/cni-flannel/daemon/overlay_peers.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::flannel {
namespace {

using test::cidr;

TEST_CASE("A file holds a range a line, with remarks", "[flanneld]") {
  const auto read =
      parse_no_masquerade("# of pool a\n172.16.5.0/16\r\n\n  fd77::/48 # cloud\n172.16.0.0/16", "f");
  CHECK(read.ranges == std::vector<Cidr>{cidr("172.16.0.0/16"), cidr("fd77::/48")});
  CHECK(read.notes.empty());
  CHECK(parse_no_masquerade("", "f") == NoMasqueradeRanges{});
}

TEST_CASE("A line that is no range is told with its number, and the others count", "[flanneld]") {
  const auto read = parse_no_masquerade("10.0.0.0/8\n10.0.0.0/33\n192.168.0.0/16\n", "/run/x/a");
  CHECK(read.ranges.size() == 2);
  CHECK(read.notes == std::vector<std::string>{"/run/x/a:2: '10.0.0.0/33' is not a CIDR"});
}

TEST_CASE("All files of the folder count but hidden ones, and no folder is no range", "[flanneld]") {
  holdfast::test::TemporaryFolder folder;
  PosixFiles files;
  CHECK(read_no_masquerade(files, folder / "absent") == NoMasqueradeRanges{});
  REQUIRE(files.create(folder / "b", "10.2.0.0/16\n10.1.0.0/16\n", 0644).has_value());
  REQUIRE(files.create(folder / "a", "10.1.0.0/16\n", 0644).has_value());
  REQUIRE(files.create(folder / ".new", "10.9.0.0/16\n", 0644).has_value());
  std::filesystem::create_directory(folder / "sub");
  const auto read = read_no_masquerade(files, folder.path());
  CHECK(read.ranges == std::vector<Cidr>{cidr("10.1.0.0/16"), cidr("10.2.0.0/16")});
  CHECK(read.notes.size() == 1);
}

}  // namespace
}  // namespace holdfast::flannel

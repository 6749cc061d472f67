#include "cni-flannel/controller/cidr_blocks.h"

#include <string>
#include <vector>

#include "test/catch.h"

namespace holdfast::flannel {
namespace {

std::vector<Cidr> cidrs(const std::vector<std::string>& texts) {
  std::vector<Cidr> out;
  for (const std::string& text : texts) out.push_back(Cidr::parse(text).value());
  return out;
}

std::string next(CidrBlocks& blocks) {
  const std::optional<Cidr> block = blocks.take_next();
  return block ? block->to_string() : "none";
}

TEST_CASE("blocks are handed out in order of the ranges, each once", "[cidr]") {
  CidrBlocks blocks = CidrBlocks::divide(cidrs({"10.1.0.0/23", "10.0.9.0/24"}), 24).value();
  CHECK(blocks.size() == 3);
  CHECK(next(blocks) == "10.1.0.0/24");
  CHECK(next(blocks) == "10.1.1.0/24");
  CHECK(blocks.free() == 1);
  CHECK(next(blocks) == "10.0.9.0/24");
  CHECK(next(blocks) == "none");
  CHECK(blocks.free() == 0);
}

TEST_CASE("what overlaps with a block takes it, whatever its size", "[cidr]") {
  struct Row {
    const char* taken;
    std::uint64_t free;
    const char* next;
  };
  const auto row = GENERATE(values<Row>({{"10.1.0.0/26", 3, "10.1.0.64/26"},
                                         {"10.1.0.65/32", 3, "10.1.0.0/26"},
                                         {"10.1.0.0/25", 2, "10.1.0.128/26"},
                                         {"10.1.0.0/24", 0, "none"},
                                         {"10.0.0.0/8", 0, "none"},
                                         {"10.1.1.0/24", 4, "10.1.0.0/26"},
                                         {"fd00::/64", 4, "10.1.0.0/26"}}));
  CAPTURE(row.taken);
  CidrBlocks blocks = CidrBlocks::divide(cidrs({"10.1.0.0/24"}), 26).value();
  blocks.take(Cidr::parse(row.taken).value());
  blocks.take(Cidr::parse(row.taken).value());
  CHECK(blocks.free() == row.free);
  CHECK(next(blocks) == row.next);
}

TEST_CASE("blocks of IPv6 begin beyond the first eight bytes as before them", "[cidr]") {
  CidrBlocks sites = CidrBlocks::divide(cidrs({"fd00:5:0:fffe::/63"}), 64).value();
  CHECK(next(sites) == "fd00:5:0:fffe::/64");
  CHECK(next(sites) == "fd00:5:0:ffff::/64");
  CHECK(next(sites) == "none");
  CidrBlocks small = CidrBlocks::divide(cidrs({"fd00::1:0/118"}), 120).value();
  small.take(Cidr::parse("fd00::1:0/120").value());
  CHECK(next(small) == "fd00::1:100/120");
  CHECK(small.free() == 2);
}

TEST_CASE("ranges that cannot be divided are refused, and named", "[cidr]") {
  struct Row {
    std::vector<std::string> ranges;
    unsigned prefix;
    const char* why;
  };
  const auto row = GENERATE(values<Row>({
      {{"10.0.0.0/16", "fd00::/48"}, 24, "fd00::/48 is of another family than 10.0.0.0/16"},
      {{"10.0.0.0/16", "10.0.3.0/24"}, 24, "10.0.3.0/24 overlaps with 10.0.0.0/16"},
      {{"10.0.0.0/25"}, 24, "10.0.0.0/25 has no room for a /24"},
      {{"10.0.0.0/25"}, 33, "10.0.0.0/25 has no room for a /33"},
      {{"fd00::/40"}, 64, "fd00::/40 has more than 1048576 blocks of /64"},
      {{"10.0.0.0/12", "11.0.0.0/32"}, 32, "11.0.0.0/32 has more than 1048576 blocks of /32"},
  }));
  const Result<CidrBlocks> blocks = CidrBlocks::divide(cidrs(row.ranges), row.prefix);
  REQUIRE_FALSE(blocks);
  CHECK(blocks.error().message == row.why);
}

}  // namespace
}  // namespace holdfast::flannel

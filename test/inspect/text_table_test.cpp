#include "common/inspect/text_table.h"

#include "test/catch.h"

namespace holdfast {
namespace {

TEST_CASE("Columns are as wide as their widest cell, and lines end with their last word", "[inspect]") {
  CHECK(text_table({{"PEER", "SUBNET"}, {"edge-2", "10.244.2.0/24"}, {"e", "-"}}) ==
        "PEER    SUBNET\n"
        "edge-2  10.244.2.0/24\n"
        "e       -\n");
  CHECK(text_table({}).empty());
  CHECK(text_table({{"a\nb", "\x1b[2J"}, {"c", "d"}}) ==
        "a\\x0ab  \\x1b[2J\n"
        "c       d\n");
}

}  // namespace
}  // namespace holdfast

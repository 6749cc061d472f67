#include "csi-nas/volumes/handle.h"

#include "test/catch.h"

namespace holdfast::nas {
namespace {

TEST_CASE("a handle tells the directory of a volume, whatever is in its names", "[nas]") {
  const NasHandle cases[] = {
      {.server = "10.0.0.5", .share = "/exports/pool", .directory = "", .name = "pvc-1"},
      {.server = "fd00::5", .share = "/", .directory = "team/a", .name = "pvc-1"},
      {.server = "nas", .share = "/a#b", .directory = "50%", .name = "with blank and \xc3\xa9"},
  };
  for (const NasHandle& handle : cases) {
    DYNAMIC_SECTION(handle.name + handle.directory) {
      const auto text = format_handle(handle);
      REQUIRE(text.has_value());
      CHECK(parse_handle(*text).value() == handle);
    }
  }
  CHECK(format_handle(cases[2]) == "nas1#nas#/a%23b#50%25#with%20blank%20and%20%C3%A9");
}

TEST_CASE("a handle that would be too long is a hash of it", "[nas]") {
  NasHandle handle{.server = "nas", .share = "/exports", .directory = "", .name = std::string(108, 'n')};
  REQUIRE(format_handle(handle)->size() == kMostHandleBytes - 1);
  handle.name += "nn";
  CHECK_FALSE(format_handle(handle).has_value());
  const std::string hashed = hashed_handle(handle);
  CHECK(is_hashed_handle(hashed));
  CHECK(hashed.size() <= kMostHandleBytes);
  CHECK_FALSE(parse_handle(hashed)->has_value());
  handle.name += "n";
  CHECK(hashed_handle(handle) != hashed);
  CHECK_FALSE(is_hashed_handle(hashed.substr(1)));
  CHECK_FALSE(is_hashed_handle(hashed.substr(0, 20) + "X" + hashed.substr(21)));
}

TEST_CASE("names of PersistentVolumes are no handles of ours", "[nas]") {
  for (const char* id : {"pv-nas", "", "nas1", "nas2#a#/b#c#d"}) CHECK_FALSE(parse_handle(id)->has_value());
}

TEST_CASE("a handle that leads out of its share is refused, and so is one that is not as we write it",
          "[nas]") {
  const char* const cases[] = {
      "nas1#nas#/exports##",        "nas1#nas#/exports##..",    "nas1#nas#/exports#..#pvc",
      "nas1#nas#/exports#a/../b#c", "nas1#nas#exports##pvc",    "nas1#nas#/exports/..##pvc",
      "nas1#nas#/exports##a/b",     "nas1#nas#/exports##%2e%2", "nas1#nas#/exports##%2E%2E",
      "nas1##/exports##pvc",        "nas1#nas#/exports#pvc",    "nas1#nas#/exports##pvc#more",
      "nas1#nas#/exports##a%0Ab",   "nas1#nas#/exports##%70vc", "nas1#nas#/exports#/a#pvc",
      "nas1#nas#/exports/##pvc",    "nas1#nas#/exports#a/#pvc", "nas1#nas#/exports##%00",
  };
  CHECK(parse_handle("nas1#nas#/exports##" + std::string(109, 'n')).has_value());
  CHECK_FALSE(parse_handle("nas1#nas#/exports##" + std::string(110, 'n')).has_value());
  for (const char* id : cases) {
    DYNAMIC_SECTION(id) {
      const auto parsed = parse_handle(id);
      REQUIRE_FALSE(parsed.has_value());
      CHECK(parsed.error().code == Code::kInvalidArgument);
    }
  }
}

}  // namespace
}  // namespace holdfast::nas

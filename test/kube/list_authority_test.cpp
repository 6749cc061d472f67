#include "common/kube/list_authority.h"

#include "test/catch.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a list of at least the version known is accepted", "[kube]") {
  ListAuthority authority(100);
  CHECK(authority.accepts(100, 1s));
  authority.saw(110);
  CHECK(authority.accepts(110, 2s));
  CHECK(ListAuthority(std::nullopt).accepts(1, 1s));
}

TEST_CASE("after the store was restored two lists ten minutes apart are needed", "[kube]") {
  ListAuthority authority(100);
  CHECK_FALSE(authority.accepts(50, 1min));
  CHECK(authority.next_list_at() == 11min);
  authority.saw(120);  // of the restored store too: it does not raise what the next list is held against
  CHECK_FALSE(authority.accepts(51, 10min));
  CHECK(authority.next_list_at() == 11min);
  CHECK(authority.accepts(52, 11min));
  CHECK_FALSE(authority.next_list_at());
  CHECK(authority.accepts(53, 12min));
}

TEST_CASE("a low list that a normal one follows is forgotten", "[kube]") {
  ListAuthority authority(100);
  CHECK_FALSE(authority.accepts(50, 1min));
  CHECK(authority.accepts(100, 2min));
  CHECK_FALSE(authority.accepts(50, 30min));
}

}  // namespace
}  // namespace holdfast::kube

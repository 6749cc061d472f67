#include "csi-disk/volumes/places.h"

#include <string>
#include <vector>

#include "common/csi/profile.h"
#include "test/catch.h"

namespace holdfast::disk {
namespace {

using Words = std::vector<std::string>;

PlaceKeys keys_of(const char* driver) { return place_keys(csi::known_profile(driver)->topology_keys); }

PlaceKeys alibaba() { return keys_of("diskplugin.csi.alibabacloud.com"); }

Segments zone(const std::string& name) { return {{"topology.diskplugin.csi.alibabacloud.com/zone", name}}; }

TEST_CASE("a profile's topology keys tell which label is the place", "[places]") {
  CHECK(alibaba() == PlaceKeys{.place = "topology.diskplugin.csi.alibabacloud.com/zone",
                               .also = {"topology.kubernetes.io/zone"},
                               .region = "topology.kubernetes.io/region"});
  CHECK(keys_of("eck.csi.k8s.io") == PlaceKeys{.place = "topology.csi.esx.eck.ctyun.cn/region",
                                               .region = "topology.csi.esx.eck.ctyun.cn/region"});
  CHECK(keys_of("com.tencent.cloud.csi.cbs").place == "topology.com.tencent.cloud.csi.cbs/zone");
  CHECK(place_keys({}) == PlaceKeys{});
}

TEST_CASE("a place is told by the driver's label, or by Kubernetes' own", "[places]") {
  CHECK(place_in(zone("a"), alibaba()) == "a");
  CHECK(place_in({{"topology.kubernetes.io/zone", "b"}}, alibaba()) == "b");
  CHECK(place_in({{"topology.kubernetes.io/region", "r"}}, alibaba()) == std::nullopt);
  CHECK(place_in(zone(""), alibaba()) == std::nullopt);
}

TEST_CASE("places are tried as pods prefer them, within the class's zones", "[places]") {
  struct Case {
    const char* name;
    Accessibility reached;
    Words allowed;
    std::size_t turn;
    Words tried;
  };
  const Accessibility abc{.preferred = {zone("b"), zone("c")},
                          .requisite = {zone("a"), zone("b"), zone("c")}};
  const Case cases[] = {
      {"the pod's zone first", abc, {}, 0, {"b", "c", "a"}},
      {"not beyond the class's zones", abc, {"a", "c"}, 0, {"c", "a"}},
      {"where pods are, when the class has none of it", abc, {"d", "e"}, 0, {"b", "c", "a"}},
      {"in turn, when nothing is said", {}, {"a", "b", "c"}, 4, {"b", "c", "a"}},
      {"the controller's own, when nobody says anything", {}, {}, 3, {"own"}},
      {"what tells no place says nothing",
       {.requisite = {{{"kubernetes.io/hostname", "n"}}}},
       {},
       0,
       {"own"}},
  };
  for (const Case& each : cases) {
    DYNAMIC_SECTION(each.name) {
      CHECK(places_to_try(each.reached, alibaba(), each.allowed, "own", each.turn) == each.tried);
    }
  }
}

TEST_CASE("a class that has its disks where no pod is conflicts", "[places]") {
  const Accessibility ab{.requisite = {zone("a"), zone("b")}};
  CHECK(conflict_of(ab, alibaba(), {"d", "e"}) ==
        "the StorageClass has its disks in d, e, and pods reach a, b: it is made there; change zoneId, or "
        "where "
        "the pod may run");
  CHECK(conflict_of(ab, alibaba(), {"b", "c"}).empty());
  CHECK(conflict_of(ab, alibaba(), {}).empty());
  CHECK(conflict_of({}, alibaba(), {"d"}).empty());
}

TEST_CASE("each zone of a class has its turn", "[places]") {
  std::vector<std::string> first;
  for (std::size_t turn = 0; turn < 6; ++turn)
    first.push_back(places_to_try({}, alibaba(), {"a", "b", "c"}, "", turn).front());
  CHECK(first == Words{"a", "b", "c", "a", "b", "c"});
}

TEST_CASE("a disk is reached where pods are, and everywhere when nothing is said", "[places]") {
  const Accessibility reached{.requisite = {zone("a")}};
  CHECK(is_reached(reached, alibaba(), "a"));
  CHECK_FALSE(is_reached(reached, alibaba(), "b"));
  CHECK(is_reached(reached, alibaba(), ""));
  CHECK(is_reached({}, alibaba(), "b"));
}

}  // namespace
}  // namespace holdfast::disk

#include "cni-flannel/controller/machine_sights.h"

#include <string>

#include "test/catch.h"

namespace holdfast::flannel {
namespace {

using namespace std::chrono_literals;

struct Scene {
  MachineSights machines;
  std::chrono::nanoseconds now = 1h;

  // For how long the node's name counts as two machines' after it told each of these boots, a letter each;
  // '-' is none.
  std::chrono::seconds tells(const std::string& boots, const std::string& uid = "1") {
    std::map<std::string, std::chrono::seconds> contested;
    for (const char boot : boots) {
      now += 10s;
      const SeenNode node{.id = {.name = "a", .uid = uid},
                          .boot_id = boot == '-' ? "" : std::string(1, boot)};
      contested = machines.look_at({{"a", node}}, now);
    }
    return contested.empty() ? 0s : contested.at("a");
  }
};

TEST_CASE("A node's name counts as two machines' when boots are back", "[controller]") {
  struct Case {
    const char* name;
    const char* boots;
    std::chrono::seconds contested;
  };
  const Case cases[] = {
      {"one machine", "aaaa", 0s},
      {"that is started again and again", "abcdefgh", 0s},
      {"a machine in the place of another", "aabb", 0s},
      {"a server that was set back, once", "abab", 0s},
      {"two machines", "ababa", 1800s},
      {"of which one came late", "aaaabbabaab", 1800s},
      {"three machines", "abcabc", 1800s},
      {"nothing told between", "a-b-a-b-a", 1800s},
      {"they are not forgotten", "ababaaaa", 1770s},
  };
  for (const Case& each : cases) {
    INFO(each.name);
    CHECK(Scene().tells(each.boots) == each.contested);
  }
}

TEST_CASE("A contested name is one machine's again when the other was silent for long", "[controller]") {
  Scene scene;
  CHECK(scene.tells("ababa") == 1800s);
  scene.now += 1770s;
  CHECK(scene.tells("aa") == 10s);
  CHECK(scene.tells("a") == 0s);
  CHECK(scene.tells("b") == 0s);  // the first of three again
  CHECK(scene.tells("ab") == 1800s);
}

TEST_CASE("Another Node of the same name begins anew", "[controller]") {
  Scene scene;
  CHECK(scene.tells("ababa") == 1800s);
  CHECK(scene.tells("b", "2") == 0s);
  CHECK(scene.tells("ab", "2") == 0s);
  CHECK(scene.machines.look_at({}, scene.now).empty());
  CHECK(scene.tells("abab") == 0s);
}

}  // namespace
}  // namespace holdfast::flannel

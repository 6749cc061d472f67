#include "egw-gateway/core/source_ports.h"

#include "test/catch.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

TEST_CASE("A tunnel by which nobody is heard sends from another port, and waits longer each time",
          "[egw-core]") {
  std::uint32_t number = 0;
  SourcePorts ports([&] { return number++; });
  CHECK(ports.see("wg-one", false, 100s) == 0);
  CHECK(ports.see("wg-one", false, 129s) == 0);
  CHECK(ports.see("wg-one", false, 130s) == 49152);
  CHECK(ports.see("wg-one", false, 189s) == 49152);
  CHECK(ports.see("wg-one", false, 190s) == 49153);
  CHECK(ports.see("wg-one", false, 309s) == 49153);
  CHECK(ports.see("wg-one", false, 310s) == 49154);
  SECTION("up to ten minutes") {
    auto now = std::chrono::nanoseconds(310s);
    for (int i = 0; i < 20; ++i) ports.see("wg-one", false, now += 601s);
    const std::uint16_t before = ports.see("wg-one", false, now + 599s);
    CHECK(ports.see("wg-one", false, now + 600s) != before);
  }
  SECTION("until it is heard: then it keeps the port") {
    CHECK(ports.see("wg-one", true, 320s) == 49154);
    CHECK(ports.see("wg-one", true, 3200s) == 49154);
    CHECK(ports.see("wg-one", false, 3229s) == 49154);
    CHECK(ports.see("wg-one", false, 3230s) == 49155);
  }
  SECTION("each by itself, and one that is none any more is not remembered") {
    CHECK(ports.see("wg-two", false, 311s) == 0);
    ports.keep({"wg-two"});
    CHECK(ports.see("wg-one", false, 2000s) == 0);
    CHECK(ports.see("wg-two", false, 2000s) != 0);
  }
}

TEST_CASE("The port of a tunnel is one that is nobody's", "[egw-core]") {
  SourcePorts ports([] { return 0xffffffffU; });
  ports.see("wg-one", false, 0s);
  CHECK(ports.see("wg-one", false, 30s) == 65535);
}

}  // namespace
}  // namespace holdfast::gateway

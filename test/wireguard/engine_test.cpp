#include "common/wireguard/engine.h"

#include "common/wireguard/kernel.h"
#include "test/catch.h"

namespace holdfast::wireguard {
namespace {

TEST_CASE("engines of WireGuard are known by name", "[wireguard]") {
  for (const Engine each : {Engine::kAuto, Engine::kKernel, Engine::kUserSpace}) {
    CHECK(parse_engine(to_string(each)) == each);
  }
  CHECK(parse_engine("go").error().message == "'go' is no WireGuard engine: auto, kernel or userspace");
}

TEST_CASE("the engine is the kernel's where the kernel has it, and what was asked for else", "[wireguard]") {
  CHECK(choose_engine(Engine::kUserSpace) == Engine::kUserSpace);
  const auto in_kernel = KernelWireGuard::is_there();
  REQUIRE(in_kernel.has_value());
  CHECK(choose_engine(Engine::kAuto) == (*in_kernel ? Engine::kKernel : Engine::kUserSpace));
  const auto asked = choose_engine(Engine::kKernel);
  CHECK(asked.has_value() == *in_kernel);
  if (!asked) CHECK(asked.error().code == Code::kFailedPrecondition);
}

}  // namespace
}  // namespace holdfast::wireguard

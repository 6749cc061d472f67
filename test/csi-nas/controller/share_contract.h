#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "csi-nas/controller/share_access.h"
#include "test/catch.h"

namespace holdfast::nas::test {

/// A share and another one, of one server; a share of a server that nobody asked; and what ends the server's
/// life and gives it back.
struct ShareScene {
  ShareAccess& access;
  NasSource share;
  NasSource other;
  NasSource elsewhere;
  std::function<void(bool)> set_dead;
};

inline bool becomes_true(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

/// What every ShareAccess keeps to.
inline void keep_share_contract(const ShareScene& scene) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kPatience{2000};
  constexpr std::chrono::milliseconds kAtMost{2800};
  ShareAccess& access = scene.access;
  CHECK(access.answers(scene.share));
  const auto first = access.mounted_at(scene.share, kPatience);
  INFO((first ? "" : first.error().message));
  REQUIRE(first.has_value());
  CHECK(access.mounted_at(scene.share, kPatience).value() == *first);
  CHECK(access.mounted_at(scene.other, kPatience).value() != *first);

  scene.set_dead(true);
  const auto began = Clock::now();
  const auto refused = access.mounted_at(scene.share, kPatience);
  CHECK(Clock::now() - began < kAtMost);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::kUnavailable);
  CHECK(becomes_true([&] { return !access.answers(scene.share); }));
  CHECK(access.answers(scene.elsewhere));

  scene.set_dead(false);
  CHECK(becomes_true([&] { return access.answers(scene.share); }));
  CHECK(becomes_true([&] { return access.mounted_at(scene.share, kPatience).value_or("") == *first; }));
}

}  // namespace holdfast::nas::test

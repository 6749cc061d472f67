#include "common/base/backoff.h"

#include <algorithm>

namespace holdfast {
namespace {

// SplitMix64: one word of state, the same numbers on every platform. Source:
// https://prng.di.unimi.it/splitmix64.c
std::uint64_t next_random(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

}  // namespace

Backoff::Backoff(std::chrono::nanoseconds first, std::chrono::nanoseconds longest, std::uint64_t seed)
    : first_(first), longest_(longest), bound_(first), state_(seed) {}

std::chrono::nanoseconds Backoff::next() {
  const auto choices = static_cast<std::uint64_t>(bound_.count()) + 1;
  const std::chrono::nanoseconds wait(next_random(state_) % choices);
  bound_ = bound_ > longest_ / 2 ? longest_ : bound_ * 2;
  return wait;
}

}  // namespace holdfast

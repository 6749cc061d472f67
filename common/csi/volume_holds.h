#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.h"

namespace holdfast::csi {

/// One operation at a time on a volume or snapshot, without waiting: while one is under way a second one is
/// answered ABORTED at once, which all callers take as "ask again", so that a call that was given up by its
/// caller and still runs is not run twice. May be used from any thread.
/// Source: CSI specification, "Concurrency" and "Error Scheme" (operation pending).
class VolumeHolds {
 public:
  enum class Kind : std::uint8_t { kVolume, kSnapshot };
  class Held;

  VolumeHolds() = default;
  VolumeHolds(const VolumeHolds&) = delete;
  VolumeHolds& operator=(const VolumeHolds&) = delete;
  ~VolumeHolds() = default;

  /// Holds it until the Held ends, which must be before this ends. `operation` is told to those who come
  /// meanwhile. Errors: kAborted: "volume pvc-1: NodeStageVolume is under way". Never blocks.
  [[nodiscard]] Result<Held> hold(Kind kind, std::string_view id, std::string_view operation);

  [[nodiscard]] std::size_t count() const;

 private:
  using Key = std::pair<Kind, std::string>;
  void release(const Key& key);

  mutable std::mutex mutex_;  // guards held_
  std::map<Key, std::string> held_;
};

/// A volume or snapshot that is held. An empty one holds nothing.
class VolumeHolds::Held {
 public:
  Held() = default;
  Held(Held&& other) noexcept : holds_(std::exchange(other.holds_, nullptr)), key_(std::move(other.key_)) {}
  Held& operator=(Held&& other) noexcept {
    release();
    holds_ = std::exchange(other.holds_, nullptr);
    key_ = std::move(other.key_);
    return *this;
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() { release(); }

  void release() {
    if (holds_ != nullptr) std::exchange(holds_, nullptr)->release(key_);
  }

 private:
  friend class VolumeHolds;
  Held(VolumeHolds& holds, Key key) : holds_(&holds), key_(std::move(key)) {}

  VolumeHolds* holds_ = nullptr;
  Key key_;
};

}  // namespace holdfast::csi

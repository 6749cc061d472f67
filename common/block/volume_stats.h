#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace holdfast::block {

/// How full a volume is. Of a raw block volume only the size is known.
struct VolumeUsage {
  std::uint64_t total_bytes = 0;
  std::uint64_t available_bytes = 0;  ///< to programs without privileges
  std::uint64_t used_bytes = 0;
  std::uint64_t total_inodes = 0;  ///< 0: the file system does not count them
  std::uint64_t available_inodes = 0;
  std::uint64_t used_inodes = 0;
  bool operator==(const VolumeUsage&) const = default;
};

/// What one look at a mounted volume found.
struct VolumeLook {
  VolumeUsage usage;
  std::uint64_t io_errors =
      0;  ///< that its device and its file system counted (sysfs); 0 when neither counts
};

/// Looks at volumes. The tests' one blocks and fails as it is told. Used from several threads at a time.
class VolumeProbe {
 public:
  VolumeProbe() = default;
  VolumeProbe(const VolumeProbe&) = delete;
  VolumeProbe& operator=(const VolumeProbe&) = delete;
  virtual ~VolumeProbe() = default;

  /// `path`: where the volume is mounted, or a device file. May block for as long as the file system does.
  /// Errors: errno of stat(2) or statvfs(2).
  virtual Result<VolumeLook> look(const std::string& path) = 0;
};

class SystemVolumeProbe final : public VolumeProbe {
 public:
  Result<VolumeLook> look(const std::string& path) override;
};

/// What is known of a volume.
struct VolumeSample {
  std::optional<VolumeUsage> usage;  ///< the last that was seen; unset before the first
  std::chrono::nanoseconds age{};    ///< of `usage`
  std::uint64_t io_errors = 0;
  std::string trouble;  ///< why the last look gave nothing; empty when it did
};

struct VolumeStatsOptions {
  std::chrono::nanoseconds interval = std::chrono::minutes(1);
  std::chrono::nanoseconds again = std::chrono::seconds(5);     ///< after a look that gave nothing
  std::chrono::nanoseconds patience = std::chrono::seconds(5);  ///< a look that takes longer is stuck
  std::size_t most_threads = 4;  ///< all of them stuck: nothing more is seen until one answers
};

/// Usage and errors of all volumes, kept in memory, so that whoever asks never waits for a file system. Looks
/// are made on a thread of their own; one that is stuck holds up nobody but its volume, as another thread
/// takes over.
///
/// The event loop calls tick(), say every second; this starts the looks that are due, and never blocks. All
/// may be called from any thread. `clock` outlives it.
class VolumeStats {
 public:
  /// `probe` is shared with looks that are still stuck when this ends.
  VolumeStats(std::shared_ptr<VolumeProbe> probe, Clock& clock, VolumeStatsOptions options = {});
  VolumeStats(const VolumeStats&) = delete;
  VolumeStats& operator=(const VolumeStats&) = delete;
  /// Does not wait for looks that are under way: their threads end when they return.
  ~VolumeStats();

  /// The first look is due at the next tick. Another path for a volume that is known takes its place.
  /// `last`: what was seen of it in an earlier life, which is told until the first look.
  void add(const std::string& volume, const std::string& path, const std::optional<VolumeUsage>& last = {});
  void remove(const std::string& volume);
  void tick();

  /// nullopt: no such volume.
  [[nodiscard]] std::optional<VolumeSample> latest(const std::string& volume) const;
  /// The same; when nothing has been seen of it yet, its first look is begun and waited for, `patience` at
  /// most. None may wait when this ends.
  [[nodiscard]] std::optional<VolumeSample> first(const std::string& volume,
                                                  std::chrono::milliseconds patience);
  /// The last usage of all volumes of which one is known.
  [[nodiscard]] std::map<std::string, VolumeUsage> usages() const;
  /// How many looks have taken longer than the patience and go on, for the metrics.
  [[nodiscard]] std::size_t stuck() const;

 private:
  struct State;
  static void work(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;  // shared with the threads, of which a stuck one may outlive this
};

}  // namespace holdfast::block

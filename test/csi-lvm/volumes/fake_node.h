#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "csi-lvm/volumes/local_volumes.h"
#include "test/catch.h"
#include "test/csi-lvm/lvm/fake_lvm.h"
#include "test/fakes/fake_clock.h"

/// A node whose volumes are in memory, for tests of what is made of them.
namespace holdfast::lvm::test {

inline constexpr std::uint64_t kMiB = 1 << 20;
inline constexpr std::uint64_t kExtent = 4 * kMiB;
inline constexpr Lvm::Patience kNow{1000};

/// What was done to the content of volumes, "wipe vg/pvc-1", and what fails from now on.
class RememberingCleaner final : public ExtentCleaner {
 public:
  Status zero_superblocks(const VolumeName& name) override { return note("zero " + name.text()); }
  Status wipe(const VolumeName& name, Lvm::Patience) override { return note("wipe " + name.text()); }
  void forget(const VolumeName& name) override { forgotten.push_back(name.text()); }
  std::vector<std::string> done;
  std::vector<std::string> forgotten;
  std::optional<Error> fault;

 private:
  Status note(std::string what) {
    if (fault) return tl::unexpected(*fault);
    done.push_back(std::move(what));
    return {};
  }
};

class RememberingCopier final : public ContentCopier {
 public:
  Status copy(const ContentOrder& order, Lvm::Patience) override {
    orders.push_back(order);
    if (fault) return tl::unexpected(*fault);
    return {};
  }
  std::vector<ContentOrder> orders;
  std::optional<Error> fault;
};

/// A node with the group "vg" of two disks, 100 extents each.
struct Node {
  Node() { lvm.add_group("vg", {100, 100}); }

  static Parameters parameters(std::map<std::string, std::string> more = {}, bool block = false) {
    more.emplace("vgName", "vg");
    return parse_parameters(more, block).value();
  }
  static VolumeRequest request(const std::string& name, std::uint64_t bytes) {
    VolumeRequest wanted;
    wanted.name = name;
    wanted.parameters = parameters();
    wanted.required_bytes = bytes;
    return wanted;
  }
  const LogicalVolume* volume(const std::string& name) {
    state = lvm.look(kNow).value();
    return state.group("vg")->volume(name);
  }
  std::vector<std::string> tags_of_group() { return lvm.look(kNow)->group("vg")->tags; }
  std::uint64_t free_extents() { return lvm.look(kNow)->group("vg")->free_bytes / kExtent; }
  void refuses(const Status& done, Code code) const {
    REQUIRE_FALSE(done.has_value());
    INFO(done.error().message);
    CHECK(done.error().code == code);
  }
  template <class T>
  void refuses(const Result<T>& done, Code code) const {
    refuses(done ? Status{} : Status(tl::unexpected(done.error())), code);
  }

  FakeLvm lvm;
  RememberingCleaner cleaner;
  RememberingCopier copier;
  holdfast::test::FakeClock clock;
  CapacityBook book{PoolLimits{}, {}};
  std::map<std::string, std::vector<std::string>> mounted;  // where, by device
  LocalVolumes volumes{lvm, book, cleaner, copier, clock, "cluster-1", [this](const std::string& device) {
                         return Result<std::vector<std::string>>(mounted[device]);
                       }};
  Inventory state;
};

/// The n-th change fails, before it is done or after: as a lost answer, or a kill, leaves it.
struct CutOff {
  void arm(FakeLvm& lvm, int at, bool done, Code code) {
    left = at;
    const auto hook = [this, code](std::string_view, const VolumeName&) -> Status {
      if (--left != 0) return {};
      return fail(code, "cut off");
    };
    (done ? lvm.after : lvm.before) = hook;
  }
  static void disarm(FakeLvm& lvm) { lvm.before = lvm.after = nullptr; }
  int left = 0;
};

}  // namespace holdfast::lvm::test

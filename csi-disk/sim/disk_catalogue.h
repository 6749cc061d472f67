#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace holdfast::disk {

/// Why a simulated disk service does not do what it is asked for; the wires have codes for them.
enum class Trouble : std::uint8_t {
  kNoDisk,
  kNoNode,
  kNoSnapshot,
  kNoZone,
  kNoType,    ///< in that zone, or at all
  kNoSize,    ///< of that type
  kNoLevel,   ///< of that type or size
  kSoldOut,   ///< the zone is out of it
  kQuota,     ///< the account's share is used up
  kArrears,   ///< the account is not paid
  kState,     ///< the disk is attached, on its way, or being made
  kNotHere,   ///< it is not attached to that node
  kLeaving,   ///< it is being detached from it
  kNodeFull,  ///< the node has as many disks as it may
  kFarAway,   ///< node and disk are of different zones
  kCutting,   ///< a snapshot of the disk is being made
  kFeeding,   ///< a disk is being made from the snapshot
  kShrinks,   ///< the disk has that size or more
  kBadParameter,
};

template <class T>
using Outcome = tl::expected<T, Trouble>;

/// Where a disk is on its way to be, or is.
enum class Phase : std::uint8_t { kAttaching, kAttached, kDetaching };
struct Attachment {
  std::string node;
  Phase phase = Phase::kAttached;
};

/// What a simulated cloud sells, and how long its works take.
struct DiskShop {
  std::string region = "sim-1";
  std::vector<std::string> zones{"sim-1a", "sim-1b"};
  std::map<std::string, std::string> nodes{};  ///< machines that there are from the start; their zones
  std::chrono::milliseconds settling{};  ///< of making, attaching, detaching, growing, and cutting a snapshot
};

/// A type of disks. Of cloud_essd a level makes a type of its own.
struct DiskType {
  std::string_view name;
  std::string_view level;  ///< "PL1"; empty: it has none
  std::int64_t least_gib;
  std::int64_t most_gib;
};
/// nullptr: there is none. `level` empty: the type's usual one.
[[nodiscard]] const DiskType* disk_type(std::string_view name, std::string_view level);
[[nodiscard]] std::vector<std::string> disk_type_names(bool tencent);

/// What the device of a disk tells as its serial number: of Alibaba's the id without "d-", of Tencent's all
/// of it.
[[nodiscard]] std::string serial_of(const std::string& id);

/// How many disks a machine may have that nothing else is said of.
inline constexpr std::int64_t kUsualMostDisks = 16;

/// A disk that is asked for; as DiskSpec, in what goes into the catalogue.
struct Wanted {
  std::string prefix;  ///< of its id: "d-sim", "disk-"
  std::string name = {};
  std::int64_t gib = 0;  ///< 0: the snapshot's
  std::string type = {};
  std::string level = {};
  std::int64_t iops = 0;
  bool bursting = false;
  std::string zone = {};
  std::string snapshot = {};
  bool encrypted = false;
  std::string key = {};
  bool multi_attach = false;
};

/// What a disk service keeps and decides, on the JSON object that is its state:
///
///     {"made": 7, "arrears": false, "quota": 100, "soldOut": ["ZONE TYPE"],
///      "nodes": {"i-1": {"zone", "most"}},
///      "disks": {"d-sim000000000001": {"name", "gib", "type", "level", "iops", "bursting", "zone",
///        "snapshot", "encrypted", "key", "multi", "tags": {}, "at", "grown",
///        "nodes": {"i-1": {"at", "leaves"}}}},
///      "snapshots": {"s-sim000000000002": {"name", "disk", "gib", "cut", "at", "days", "tags": {}}}}
///
/// "at" and "grown" are milliseconds since boot, "cut" seconds since 1970. What is being done is not kept but
/// told from when it began; so nothing has to happen when it is over. One that refuses has changed nothing.
class DiskCatalogue {
 public:
  /// Both outlive it. `now` since boot, `wall` since 1970.
  DiskCatalogue(const DiskShop& shop, nlohmann::json& state, std::chrono::milliseconds now,
                std::chrono::seconds wall);

  Outcome<std::string> create_disk(const Wanted& wanted);
  Outcome<void> delete_disk(const std::string& id);
  Outcome<void> attach(const std::string& disk, const std::string& node);
  Outcome<void> detach(const std::string& disk, const std::string& node);
  Outcome<void> grow(const std::string& disk, std::int64_t gib);
  /// Empty type and level, and no iops: as they are.
  Outcome<void> respec(const std::string& disk, const std::string& type, const std::string& level,
                       std::int64_t iops);
  Outcome<void> set_bursting(const std::string& disk, bool bursting);
  Outcome<std::string> create_snapshot(const std::string& prefix, const std::string& disk,
                                       const std::string& name, std::int64_t days);
  Outcome<void> delete_snapshot(const std::string& id);

  /// nullptr: there is none.
  [[nodiscard]] nlohmann::json* disk(const std::string& id);
  [[nodiscard]] nlohmann::json* snapshot(const std::string& id);
  [[nodiscard]] const nlohmann::json* node(const std::string& id) const;
  [[nodiscard]] nlohmann::json& disks();
  [[nodiscard]] nlohmann::json& snapshots();

  [[nodiscard]] std::vector<Attachment> attachments(const nlohmann::json& disk) const;
  /// Whether a work that began at `thing`'s "at" (or "grown") is over.
  [[nodiscard]] bool settled(const nlohmann::json& thing, const char* since = "at") const;
  /// Of a snapshot, in percent.
  [[nodiscard]] std::int64_t progress(const nlohmann::json& snapshot) const;
  [[nodiscard]] bool in_stock(const std::string& zone, const std::string& type) const;
  [[nodiscard]] bool in_arrears() const;
  /// How many disks are attached to it, or on their way to it or from it.
  [[nodiscard]] std::int64_t disks_of(const std::string& node) const;

 private:
  [[nodiscard]] std::string next_id(const std::string& prefix);
  [[nodiscard]] Outcome<void> check_sale(const Wanted& wanted, std::int64_t gib) const;
  [[nodiscard]] bool cutting(const std::string& disk) const;

  const DiskShop& shop_;
  nlohmann::json& state_;
  std::int64_t now_;
  std::int64_t wall_;
};

}  // namespace holdfast::disk

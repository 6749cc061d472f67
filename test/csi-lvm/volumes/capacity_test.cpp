#include "csi-lvm/volumes/capacity.h"

#include <optional>

#include "test/catch.h"
#include "test/csi-lvm/lvm/fake_lvm.h"

namespace holdfast::lvm {
namespace {

constexpr std::uint64_t kExtent = 4 << 20;
constexpr Lvm::Patience kNow{0};

// A group "vg" with disks of so many free extents.
struct Book {
  explicit Book(const std::vector<std::uint64_t>& disks, std::map<std::string, std::uint64_t> spare = {})
      : book(PoolLimits{}, std::move(spare)) {
    lvm.add_group("vg", disks);
    refresh();
  }
  void refresh() { book.update(lvm.look(kNow).value()); }
  std::uint64_t largest(std::uint32_t stripes) {
    return book.capacity("vg", stripes, "")->largest_bytes / kExtent;
  }
  static Room room(std::uint64_t extents, std::uint32_t stripes = 1) {
    return bytes(extents * kExtent, stripes);
  }
  static Room bytes(std::uint64_t size, std::uint32_t stripes = 1, std::string pool = {}) {
    return {
        .group = "vg", .size_bytes = size, .stripes = stripes, .pool = std::move(pool), .of_spare = false};
  }

  test::FakeLvm lvm;
  CapacityBook book;
};

TEST_CASE("the largest volume is told for each number of stripes", "[lvm capacity]") {
  struct Case {
    const char* name;
    std::vector<std::uint64_t> disks;
    std::uint32_t stripes;
    std::uint64_t largest;
  };
  const Case cases[] = {
      {"linear over all disks", {10, 20, 30}, 1, 60},
      {"all disks are as good as the fullest", {10, 20, 30}, 0, 30},
      {"two stripes go to the emptiest disks", {10, 20, 30}, 2, 40},
      {"more stripes than disks", {10, 20, 30}, 4, 0},
      {"one disk, all of them", {10}, 0, 10},
      {"nothing free", {0, 0}, 1, 0},
      {"no disk", {}, 0, 0},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(Book(c.disks).largest(c.stripes) == c.largest); }
  }
}

TEST_CASE("a missing disk gives no room", "[lvm capacity]") {
  Book node({10, 20});
  Inventory inventory = node.lvm.look(kNow).value();
  inventory.groups[0].disks[1].missing = true;
  node.book.update(std::move(inventory));
  CHECK(node.largest(1) == 10);
  CHECK(node.largest(2) == 0);
}

TEST_CASE("in a group that lacks a disk there is no room, and who asks hears why", "[lvm capacity]") {
  Book node({10, 20});
  Inventory inventory = node.lvm.look(kNow).value();
  inventory.groups[0].missing_disks = 1;
  node.book.update(std::move(inventory));
  CHECK(node.largest(1) == 0);
  CHECK(node.book.available_bytes() == 0);
  const auto refused = node.book.promise(Book::room(1));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::kResourceExhausted);
  CHECK(refused.error().message.find("the group lacks 1 of its disks") != std::string::npos);
}

TEST_CASE("stripes over more disks than there are are refused with both numbers", "[lvm capacity]") {
  Book node({10, 20});
  Room room = Book::room(3);
  room.stripes = 3;
  const auto refused = node.book.promise(room);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::kResourceExhausted);
  CHECK(refused.error().message.ends_with("; 3 stripes need 3 disks, and the group has 2"));
}

TEST_CASE("what is spared is not given away", "[lvm capacity]") {
  Book node({10, 20}, {{"vg", 25 * kExtent}});
  CHECK(node.book.capacity("vg", 1, "")->available_bytes == 5 * kExtent);
  CHECK(node.largest(1) == 5);
  CHECK(node.largest(2) == 4);
  Room snapshot = Book::room(20);
  snapshot.of_spare = true;
  CHECK(node.book.promise(snapshot).has_value());
  Book tight({10}, {{"vg", 25 * kExtent}});
  CHECK(tight.largest(1) == 0);
}

TEST_CASE("a group that is to spare room and is not there is told", "[lvm capacity]") {
  Book node({10, 20}, {{"vg", kExtent}, {"gv", kExtent}});
  CHECK(node.book.unknown_spare_groups() == std::vector<std::string>{"gv"});
}

TEST_CASE("room that is promised is promised once", "[lvm capacity]") {
  Book node({10, 10});
  std::optional<CapacityBook::Promise> first = node.book.promise(Book::room(15)).value();
  CHECK(node.largest(1) == 5);
  const auto second = node.book.promise(Book::room(6));
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Code::kResourceExhausted);
  CHECK(second.error().message.find(std::to_string(5 * kExtent)) != std::string::npos);
  first.reset();
  CHECK(node.book.promise(Book::room(6)).has_value());
}

TEST_CASE("a promise of stripes takes room on each of their disks", "[lvm capacity]") {
  Book node({10, 20, 30});
  const auto promised = node.book.promise(Book::room(20, 2));
  REQUIRE(promised.has_value());
  CHECK(node.largest(0) == 30);
  CHECK(node.largest(1) == 40);
  CHECK(node.largest(2) == 20);
}

TEST_CASE("a promise that was kept counts once, as a volume", "[lvm capacity]") {
  Book node({10});
  {
    const auto promised = node.book.promise(Book::room(4));
    NewVolume wanted;
    wanted.name = {"vg", "pvc-1"};
    wanted.size_bytes = 4 * kExtent;
    REQUIRE(node.lvm.create(wanted, kNow).has_value());
    node.refresh();
  }
  CHECK(node.largest(1) == 6);
}

TEST_CASE("a volume that was seen before it is added counts once", "[lvm capacity]") {
  Book node({10});
  const NewVolume made{.name = {"vg", "pvc-1"}, .size_bytes = 2 * kExtent, .pool = {}, .tags = {}};
  REQUIRE(node.lvm.create(made, kNow).has_value());
  node.refresh();
  node.book.add(made);
  CHECK(node.largest(1) == 8);
}

TEST_CASE("a pool takes room for its metadata twice, 2 MiB each at least", "[lvm capacity]") {
  struct Case {
    std::uint64_t extent_bytes;
    std::uint64_t extents;
    std::uint64_t most_bytes;  // of the pool
  };
  constexpr std::uint64_t kKiB = 1024;
  constexpr std::uint64_t kMiB = kKiB * kKiB;
  const Case cases[] = {{kMiB, 199, 195 * kMiB}, {128 * kKiB, 100 * 8, 96 * kMiB}, {4 * kMiB, 10, 32 * kMiB}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION("extents of " << c.extent_bytes) {
      test::FakeLvm lvm;
      lvm.add_group("vg", {c.extents}, c.extent_bytes);
      CapacityBook book(PoolLimits{}, {});
      book.update(lvm.look(kNow).value());
      Room room{.group = "vg", .pool = "pool0", .pool_bytes = c.most_bytes};
      CHECK(book.capacity(room)->largest_bytes == 2 * c.most_bytes);
      ++room.pool_bytes;
      CHECK(book.capacity(room)->largest_bytes == 0);
      const auto make = [&](std::uint64_t bytes) {
        return lvm.create_pool({.name = {"vg", "pool0"}, .size_bytes = bytes, .tags = {}}, kNow);
      };
      CHECK(make(c.most_bytes + 1).error().code == Code::kResourceExhausted);
      CHECK(make(c.most_bytes).has_value());
    }
  }
}

TEST_CASE("sizes round up to whole extents", "[lvm capacity]") {
  Book node({10});
  CHECK(node.book.promise(Book::bytes(10 * kExtent - 1)).has_value());
  CHECK_FALSE(node.book.promise(Book::bytes(10 * kExtent + 1)).has_value());
}

TEST_CASE("what is not there is told", "[lvm capacity]") {
  Book node({10});
  CHECK(node.book.capacity("nowhere", 1, "").error().code == Code::kNotFound);
  CHECK(node.book.capacity("nowhere", 1, "").error().message ==
        "there is no volume group nowhere on this node; there are: vg. Those count whose disks our devices "
        "file "
        "names (lvm.devicesFile)");
  CHECK(CapacityBook(PoolLimits{}, {}).capacity("vg", 1, "").error().message.find("there is none") !=
        std::string::npos);
  Inventory inventory = node.lvm.look(kNow).value();
  LogicalVolume& thick = inventory.groups[0].volumes.emplace_back();
  thick.name = "thick";
  thick.size_bytes = kExtent;
  node.book.update(std::move(inventory));
  const auto no_pool = node.book.capacity("vg", 1, "thick");
  REQUIRE_FALSE(no_pool.has_value());
  CHECK(no_pool.error().code == Code::kFailedPrecondition);
  CHECK(no_pool.error().message.starts_with("vg/thick is a volume and no thin pool"));
  CHECK(node.book.promise({.group = "nowhere", .pool = {}}).error().code == Code::kNotFound);
  CHECK(node.book.capacity("vg", 1, "pool").error().code == Code::kNotFound);
}

struct Pool : Book {
  Pool() : Book({100}) {
    REQUIRE(
        lvm.create_pool({.name = {"vg", "pool0"}, .size_bytes = 20 * kExtent, .tags = {}}, kNow).has_value());
    refresh();
  }
  void fill(double data, double metadata) {
    Inventory inventory = lvm.look(kNow).value();
    for (LogicalVolume& volume : inventory.groups[0].volumes) {
      volume.data_percent = data;
      volume.metadata_percent = metadata;
    }
    book.update(std::move(inventory));
  }
  std::uint64_t left() { return book.capacity("vg", 1, "pool0")->largest_bytes / kExtent; }
};

TEST_CASE_METHOD(Pool, "volumes of a pool may pretend to twice its size, promised ones too",
                 "[lvm capacity]") {
  CHECK(left() == 40);
  const auto promised = book.promise(bytes(30 * kExtent, 1, "pool0"));
  CHECK(left() == 10);
  CHECK_FALSE(book.promise(bytes(11 * kExtent, 1, "pool0")).has_value());
  CHECK(largest(1) == 78);
}

TEST_CASE_METHOD(Pool, "a pool above a watermark, of data or of metadata, gives nothing", "[lvm capacity]") {
  fill(89.9, 79.9);
  CHECK(left() == 40);
  fill(90, 10);
  CHECK(left() == 0);
  CHECK(book.promise(bytes(kExtent, 1, "pool0")).error().code == Code::kResourceExhausted);
  fill(10, 80);
  CHECK(left() == 0);
}

}  // namespace
}  // namespace holdfast::lvm

#include "common/block/volume_stats.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "test/catch.h"

namespace holdfast::block {
namespace {

using std::chrono::seconds;

/// Time that the test moves while threads read it.
class SharedClock final : public Clock {
 public:
  std::chrono::nanoseconds since_boot() override {
    const std::scoped_lock lock(mutex_);
    return time_;
  }
  std::chrono::sys_seconds now() override { return {}; }
  void sleep(std::chrono::nanoseconds) override {}
  void advance(std::chrono::nanoseconds by) {
    const std::scoped_lock lock(mutex_);
    time_ += by;
  }

 private:
  std::mutex mutex_;  // guards time_
  std::chrono::nanoseconds time_{seconds(1000)};
};

/// Volumes whose size is what the test says, or that do not answer until it lets them.
class FakeProbe final : public VolumeProbe {
 public:
  Result<VolumeLook> look(const std::string& path) override {
    std::unique_lock lock(mutex_);
    ++looks_[path];
    news_.notify_all();
    news_.wait(lock, [&] { return !blocked_.contains(path); });
    if (failing_.contains(path)) return fail_errno(EIO, "statvfs " + path);
    return VolumeLook{.usage = {.total_bytes = size_}, .io_errors = 3};
  }
  void block(const std::string& path) {
    change([&] { blocked_.insert(path); });
  }
  void release(const std::string& path) {
    change([&] { blocked_.erase(path); });
  }
  void fail_at(const std::string& path) {
    change([&] { failing_.insert(path); });
  }
  void set_size(std::uint64_t size) {
    change([&] { size_ = size; });
  }
  void wait_for_look(const std::string& path, int count = 1) {
    std::unique_lock lock(mutex_);
    news_.wait(lock, [&] { return looks_[path] >= count; });
  }
  int looks(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    return looks_[path];
  }

 private:
  template <class F>
  void change(F change) {
    const std::scoped_lock lock(mutex_);
    change();
    news_.notify_all();
  }
  std::mutex mutex_;  // guards all below
  std::condition_variable news_;
  std::map<std::string, int> looks_;
  std::set<std::string> blocked_;
  std::set<std::string> failing_;
  std::uint64_t size_ = 100;
};

struct Node {
  SharedClock clock;
  std::shared_ptr<FakeProbe> probe = std::make_shared<FakeProbe>();
  VolumeStats stats{probe, clock};

  /// The sample once it satisfies `test`; the threads are given their time.
  template <class F>
  VolumeSample when(const std::string& volume, F test) {
    while (true) {
      const VolumeSample sample = stats.latest(volume).value();
      if (test(sample)) return sample;
      std::this_thread::yield();
    }
  }
  VolumeSample when_known(const std::string& volume) {
    return when(volume, [](const VolumeSample& sample) { return sample.usage.has_value(); });
  }
};

TEST_CASE("A volume is looked at once an interval, and asking for it never looks", "[block]") {
  Node node;
  node.stats.add("v", "/v");
  CHECK_FALSE(node.stats.latest("v")->usage);
  CHECK_FALSE(node.stats.latest("w"));
  node.stats.tick();
  const VolumeSample first = node.when_known("v");
  CHECK(first.usage->total_bytes == 100);
  CHECK(first.io_errors == 3);
  CHECK(first.trouble.empty());

  node.probe->set_size(200);
  node.clock.advance(seconds(30));
  node.stats.tick();
  CHECK(node.stats.latest("v")->usage->total_bytes == 100);
  CHECK(node.stats.latest("v")->age == seconds(30));
  CHECK(node.probe->looks("/v") == 1);

  node.clock.advance(seconds(30));
  node.stats.tick();
  node.when("v", [](const VolumeSample& sample) { return sample.usage->total_bytes == 200; });
  CHECK(node.probe->looks("/v") == 2);
}

TEST_CASE("Who asks before the first look waits for it, and not for ever", "[block]") {
  constexpr std::chrono::minutes kAmple{1};
  Node node;
  node.stats.add("v", "/v");
  CHECK(node.stats.first("v", kAmple)->usage->total_bytes == 100);
  CHECK(node.stats.first("v", kAmple)->usage->total_bytes == 100);
  CHECK(node.probe->looks("/v") == 1);
  CHECK_FALSE(node.stats.first("w", kAmple));
  node.probe->fail_at("/bad");
  node.stats.add("bad", "/bad");
  CHECK_FALSE(node.stats.first("bad", kAmple)->trouble.empty());
  node.probe->block("/dead");
  node.stats.add("dead", "/dead");
  CHECK_FALSE(node.stats.first("dead", std::chrono::milliseconds(1))->usage);
  node.probe->release("/dead");
}

TEST_CASE("A file system that does not answer holds up only itself, and its last usage stays", "[block]") {
  Node node;
  node.stats.add("dead", "/dead");
  node.stats.tick();
  node.when_known("dead");
  node.probe->block("/dead");
  node.clock.advance(seconds(61));
  node.stats.tick();
  node.probe->wait_for_look("/dead", 2);
  CHECK(node.stats.latest("dead")->trouble.empty());

  node.stats.add("live", "/live");
  node.clock.advance(seconds(6));
  node.stats.tick();
  node.when_known("live");
  CHECK(node.stats.stuck() == 1);
  const VolumeSample sample = *node.stats.latest("dead");
  CHECK(sample.usage->total_bytes == 100);
  CHECK(sample.age == seconds(67));
  CHECK(sample.trouble == "the file system at /dead has not answered for 6 s");

  node.probe->release("/dead");
  node.when("dead", [](const VolumeSample& s) { return s.trouble.empty() && s.age < seconds(1); });
  CHECK(node.stats.stuck() == 0);
}

TEST_CASE("No more threads get stuck than are allowed", "[block]") {
  Node node;
  const std::string names[] = {"a", "b", "c", "d", "e", "f"};
  for (const std::string& name : names) {
    node.probe->block("/" + name);
    node.stats.add(name, "/" + name);
  }
  for (int ticks = 0; ticks < 10; ++ticks) {
    node.stats.tick();
    if (ticks < 4) node.probe->wait_for_look("/" + names[ticks]);
    node.clock.advance(seconds(6));
  }
  CHECK(node.stats.stuck() == 4);
  CHECK(node.probe->looks("/e") == 0);
  for (const std::string& name : names) node.probe->release("/" + name);
  for (const std::string& name : names) {
    while (!node.stats.latest(name)->usage) node.stats.tick();
  }
}

TEST_CASE("A look that fails is told with its reason", "[block]") {
  Node node;
  node.probe->fail_at("/v");
  node.stats.add("v", "/v");
  node.stats.tick();
  const VolumeSample sample = node.when("v", [](const VolumeSample& s) { return !s.trouble.empty(); });
  CHECK(sample.trouble == "statvfs /v: Input/output error");
  // One that gave nothing is made again soon.
  const int looks = node.probe->looks("/v");
  node.clock.advance(seconds(5));
  node.stats.tick();
  node.probe->wait_for_look("/v", looks + 1);
  CHECK_FALSE(sample.usage);
}

TEST_CASE("What a look finds of a volume that is gone meanwhile, or is another, is dropped", "[block]") {
  Node node;
  node.probe->block("/old");
  node.stats.add("v", "/old");
  node.stats.tick();
  node.probe->wait_for_look("/old");
  node.stats.remove("v");
  CHECK_FALSE(node.stats.latest("v"));
  node.stats.add("v", "/new");
  node.probe->release("/old");
  node.stats.add("w", "/w");
  node.stats.tick();
  node.when_known("w");
  node.when_known("v");
  CHECK(node.probe->looks("/new") == 1);
}

TEST_CASE("What was seen in an earlier life is told until the first look", "[block]") {
  Node node;
  const VolumeUsage earlier{.total_bytes = 7};
  node.stats.add("v", "/v", earlier);
  node.stats.add("w", "/w");
  CHECK(node.stats.latest("v")->usage == earlier);
  CHECK(node.stats.usages() == std::map<std::string, VolumeUsage>{{"v", earlier}});
  node.probe->fail_at("/v");
  node.stats.tick();
  const VolumeSample sample = node.when("v", [](const VolumeSample& s) { return !s.trouble.empty(); });
  CHECK(sample.usage == earlier);
  node.when_known("w");
  CHECK(node.stats.usages().size() == 2);
}

TEST_CASE("The end does not wait for a file system", "[block]") {
  const auto probe = std::make_shared<FakeProbe>();
  {
    SharedClock clock;
    VolumeStats stats(probe, clock);
    probe->block("/v");
    stats.add("v", "/v");
    stats.tick();
    probe->wait_for_look("/v");
  }
  probe->release("/v");
  while (probe.use_count() > 1) std::this_thread::yield();
}

}  // namespace
}  // namespace holdfast::block

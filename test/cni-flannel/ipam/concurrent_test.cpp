// Many ADDs at once: threads with a manager each, as processes would have.

#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "cni-flannel/ipam/sticky_ipam.h"
#include "test/catch.h"
#include "test/cni-flannel/ipam/ipam_node.h"

namespace holdfast::flannel::test {
namespace {

constexpr int kPods = 64;
constexpr std::size_t kAddresses = 128;  // two families

template <class Task>
void run_at_once(int count, Task task) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&task, i] { task(i); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

TEST_CASE("64 ADDs at once give 64 addresses, 64 DELs leave none, and 64 more give the same",
          "[ipam][concurrent]") {
  Node node({"10.244.3.0/24", "fd00:3::/64"});
  const bool with_pods = GENERATE(true, false);
  std::mutex mutex;
  std::map<int, std::vector<std::string>> given;
  std::vector<std::string> errors;
  const auto add = [&](int i, const std::string& prefix) {
    StickyIpam manager = node.ipam();
    const auto allocation = manager.allocate(request_of(
        prefix + std::to_string(i), with_pods ? std::optional(pod("p" + std::to_string(i))) : std::nullopt));
    const std::lock_guard lock(mutex);
    if (!allocation) {
      errors.push_back(allocation.error().message);
    } else if (with_pods && given.contains(i) && given[i] != texts(*allocation)) {
      errors.emplace_back("moved");
    } else {
      given[i] = texts(*allocation);
    }
  };
  const auto del = [&](int i) {
    StickyIpam manager = node.ipam();
    if (const Status done = manager.release(attachment_of("c" + std::to_string(i))); !done) {
      const std::lock_guard lock(mutex);
      errors.push_back(done.error().message);
    }
  };
  run_at_once(kPods, [&](int i) { add(i, "c"); });
  CHECK(errors.empty());
  std::set<std::string> distinct;
  for (const auto& [i, addresses] : given) {
    distinct.insert(addresses.begin(), addresses.end());
  }
  CHECK(distinct.size() == kAddresses);
  CHECK(node.in_use().size() == kAddresses);
  run_at_once(kPods, del);
  CHECK(errors.empty());
  CHECK(node.in_use().empty());
  run_at_once(kPods, [&](int i) { add(i, "d"); });
  CHECK(errors.empty());
  CHECK(node.in_use().size() == kAddresses);
}

TEST_CASE("ADDs and DELs at once never give an address twice", "[ipam][concurrent]") {
  Node node({"10.244.3.0/26"});
  std::mutex mutex;
  std::map<std::string, std::string> holders;  // address -> container, while it is held
  std::vector<std::string> errors;
  run_at_once(16, [&](int i) {
    for (int round = 0; round < 6; ++round) {
      const std::string id = "c" + std::to_string(i) + "-" + std::to_string(round);
      StickyIpam manager = node.ipam();
      const auto allocation = manager.allocate(request_of(id, pod("p" + std::to_string(i))));
      {
        const std::lock_guard lock(mutex);
        if (!allocation) {
          errors.push_back(allocation.error().message);
          return;
        }
        std::string address = texts(*allocation).front();
        if (!holders.emplace(address, id).second) {
          errors.push_back(address.append(" is held and given to ").append(id));
        }
      }
      std::this_thread::yield();
      {
        const std::lock_guard lock(mutex);
        holders.erase(texts(*allocation).front());
      }
      if (const Status done = manager.release(attachment_of(id)); !done) {
        const std::lock_guard lock(mutex);
        errors.push_back(done.error().message);
      }
    }
  });
  for (const std::string& error : errors) {
    UNSCOPED_INFO(error);
  }
  CHECK(errors.empty());
  CHECK(node.in_use().empty());
}

}  // namespace
}  // namespace holdfast::flannel::test

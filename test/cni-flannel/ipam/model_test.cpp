// Random sequences of what runtimes do, beside a simple model of what must hold.

#include <map>
#include <random>

#include "cni-flannel/ipam/sticky_ipam.h"
#include "test/catch.h"
#include "test/cni-flannel/ipam/ipam_node.h"
#include "test/fakes/recording_files.h"

namespace holdfast::flannel::test {
namespace {

using holdfast::test::Killed;
using holdfast::test::KillPoint;
using holdfast::test::RecordingFiles;

/// What is sure: who runs with which addresses, and which address a pod had last. A pod whose address another
/// has got since is sure of nothing.
class Model {
 public:
  void added(const std::string& container, const std::string& pod,
             const std::vector<std::string>& addresses) {
    for (const auto& [other, held] : running) {
      CHECK((!share(held.addresses, addresses) || held.pod == pod));
    }
    std::erase_if(running, [&](const auto& entry) { return share(entry.second.addresses, addresses); });
    running[container] = {pod, addresses};
    std::erase_if(bound, [&](const auto& entry) { return share(entry.second, addresses); });
    bound[pod] = addresses;
  }

  static bool share(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    return std::ranges::any_of(a, [&b](const auto& item) { return std::ranges::find(b, item) != b.end(); });
  }

  struct Sandbox {
    std::string pod;
    std::vector<std::string> addresses;
  };
  std::map<std::string, Sandbox> running;
  std::map<std::string, std::vector<std::string>> bound;
};

class Player {
 public:
  explicit Player(unsigned seed) : random_(seed) { node_.use_subnets({"10.244.3.0/28", "fd00:3::/64"}); }

  void play(int moves) {
    for (int i = 0; i < moves; ++i) {
      switch (number(10)) {
        case 0:
        case 1:
        case 2:
        case 3:
          add(std::nullopt);
          break;
        case 4:
        case 5:
        case 6:
          del();
          break;
        case 7:
          collect();
          break;
        case 8:
          add(1 + static_cast<std::size_t>(number(12)));
          break;
        default:
          if (number(4) == 0) {
            reboot();
          }
      }
      check();
    }
  }

 private:
  int number(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  // With `kill_at` the process is killed at that step, and the runtime sends the DEL.
  void add(std::optional<std::size_t> kill_at) {
    const std::string pod_name = "p" + std::to_string(number(18));
    const std::string container = "c" + std::to_string(++containers_);
    RecordingFiles files(node_.folder.path());
    if (kill_at) {
      files.kill_at(*kill_at, KillPoint::kAfter);
    }
    node_.port = &files;
    const auto had = model_.bound.find(pod_name);
    try {
      const auto allocation = node_.try_add(request_of(container, pod(pod_name)));
      node_.port = &node_.unsynced;
      if (allocation) {
        if (had != model_.bound.end()) {
          CHECK(texts(*allocation) == had->second);
        }
        model_.added(container, pod_name, texts(*allocation));
      } else {
        CHECK(allocation.error().message == "no IP addresses available in range set: 10.244.3.1-10.244.3.14");
        CHECK(had == model_.bound.end());
        CHECK(model_.running.size() >= 13);
      }
    } catch (const Killed&) {
      node_.port = &node_.unsynced;
      REQUIRE(node_.del(container));
      // A pod without address may have got that of an absent one: nobody absent is sure of his. One that had
      // a sandbox may have lost it to the new one, whose DEL has freed it.
      if (had == model_.bound.end()) {
        std::erase_if(model_.bound, [this](const auto& entry) { return !runs(entry.first); });
      } else {
        std::erase_if(model_.running, [&](const auto& entry) { return entry.second.pod == pod_name; });
        forget_links();
        REQUIRE(node_.gc(running_containers()));
      }
    }
  }

  void del() {
    if (model_.running.empty()) {
      return;
    }
    const auto victim = std::next(model_.running.begin(), number(static_cast<int>(model_.running.size())));
    REQUIRE(node_.del(victim->first));
    model_.running.erase(victim);
  }

  void collect() {
    std::erase_if(model_.running, [this](const auto&) { return number(4) == 0; });
    REQUIRE(node_.gc(running_containers()));
    forget_links();
  }

  void reboot() {
    node_.reboot();
    model_.running.clear();
    if (number(2) == 0) {
      REQUIRE(node_.gc({}));
    }
  }

  void forget_links() {
    node_.machine.links.clear();
    for (const auto& [container, sandbox] : model_.running) {
      node_.machine.links.insert(link_of(container));
    }
  }

  [[nodiscard]] bool runs(const std::string& pod) const {
    return std::ranges::any_of(model_.running, [&](const auto& entry) { return entry.second.pod == pod; });
  }

  [[nodiscard]] std::vector<std::string> running_containers() const {
    std::vector<std::string> containers;
    for (const auto& [container, sandbox] : model_.running) {
      containers.push_back(container);
    }
    return containers;
  }

  void check() {
    for (const auto& [container, sandbox] : model_.running) {
      std::vector<std::string> held;
      const auto uses = node_.ipam().addresses_of(attachment_of(container));
      REQUIRE(uses);
      for (const InUse& use : *uses) {
        held.push_back(use.address.to_string());
      }
      CHECK(held == sandbox.addresses);
    }
  }

  Node node_;
  Model model_;
  std::mt19937 random_;
  int containers_ = 0;
};

TEST_CASE("whatever runtimes do, nobody's address is given to another and every pod finds its own",
          "[ipam][model]") {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    Player(seed).play(120);
  }
}

}  // namespace
}  // namespace holdfast::flannel::test

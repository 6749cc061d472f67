#include "cni-flannel/ipam/allocator.h"

#include <map>

#include "test/catch.h"
#include "test/cni-flannel/ipam/ipam_node.h"

namespace holdfast::flannel::test {
namespace {

using Texts = std::vector<std::string>;

/// Owners as a table; whoever is not in it has no file.
class TableOfOwners final : public Owners {
 public:
  std::map<IpAddress, Owner> table;
  std::vector<IpAddress> asked;

  Result<Owner> owner_of(const IpAddress& address) override {
    asked.push_back(address);
    const auto found = table.find(address);
    return found == table.end() ? Owner{} : found->second;
  }
};

/// A situation that is easy to write down: 10.0.0.0/29, the pod default/p.
struct Scene {
  IpamConfig config;
  AllocationRequest request = request_of("new", pod("p"));
  std::vector<Binding> bindings;
  std::vector<IpAddress> mine;
  std::vector<std::optional<IpAddress>> last{std::nullopt};
  TableOfOwners owners;

  Scene() { config.range_sets = {{whole("10.0.0.0/29")}}; }

  Binding& bind(const std::string& name, std::uint64_t sequence, const std::string& address,
                BindingState state = BindingState::kPresent, const std::string& boot = "now") {
    Binding binding;
    binding.sequence = sequence;
    binding.key = {"default", name, "eth0"};
    binding.uid = "uid-1";
    binding.container_id = "c-" + name;
    binding.state = state;
    binding.boot_id = boot;
    binding.addresses = {ip(address)};
    bindings.push_back(binding);
    return bindings.back();
  }
  void held(const std::string& address, OwnerState state, const std::string& container) {
    owners.table[ip(address)] = {state, true, container};
  }

  Result<Decision> decide() {
    std::vector<IpAddress> in_use;
    for (const auto& [address, owner] : owners.table) {
      in_use.push_back(address);
    }
    return plan({config, request, in_use, mine, bindings, last, boot_id, {}, {}}, owners);
  }
  // The addresses, or the error's text.
  std::string decided() {
    const auto decision = decide();
    if (!decision) {
      return decision.error().message;
    }
    std::string text;
    for (const Choice& choice : decision->choices) {
      text += (text.empty() ? "" : " ") + choice.assigned.address.address().to_string();
    }
    for (const std::size_t ended : decision->ended) {
      text += " ends " + bindings[ended].key.name;
    }
    return text;
  }

  std::string boot_id = "now";
};

TEST_CASE("where the next address is taken from", "[ipam]") {
  Scene scene;
  SECTION("the beginning, with nothing known") { CHECK(scene.decided() == "10.0.0.2"); }
  SECTION("behind the last one given") {
    scene.last = {ip("10.0.0.4")};
    CHECK(scene.decided() == "10.0.0.5");
  }
  SECTION("the beginning again behind the end") {
    scene.last = {ip("10.0.0.6")};
    CHECK(scene.decided() == "10.0.0.2");
  }
  SECTION("the last one given itself comes last") {
    scene.last = {ip("10.0.0.3")};
    for (const char* held : {"10.0.0.2", "10.0.0.4", "10.0.0.5", "10.0.0.6"}) {
      scene.held(held, OwnerState::kAlive, "x");
    }
    CHECK(scene.decided() == "10.0.0.3");
  }
  SECTION("a last one that is in no range counts as none") {
    scene.last = {ip("10.9.0.3")};
    CHECK(scene.decided() == "10.0.0.2");
  }
  SECTION("behind what is in use, bound or reserved") {
    scene.held("10.0.0.2", OwnerState::kUnknown, "x");
    scene.bind("q", 1, "10.0.0.3", BindingState::kAbsent);
    scene.config.reserved = {Cidr::parse("10.0.0.4/31").value()};
    CHECK(scene.decided() == "10.0.0.6");
  }
  SECTION("nobody's owner is asked for that") {
    scene.held("10.0.0.2", OwnerState::kAlive, "x");
    CHECK(scene.decided() == "10.0.0.3");
    CHECK(scene.owners.asked.empty());
  }
}

TEST_CASE("whether the pod's last address is kept", "[ipam]") {
  Scene scene;
  Binding& own = scene.bind("p", 1, "10.0.0.5");
  SECTION("nobody has it") { CHECK(scene.decided() == "10.0.0.5"); }
  SECTION("a dead owner has it") {
    scene.held("10.0.0.5", OwnerState::kDead, "whoever");
    CHECK(scene.decided() == "10.0.0.5");
    CHECK(scene.decide()->choices[0].replaces);
  }
  SECTION("its own older sandbox has it") {
    scene.held("10.0.0.5", OwnerState::kAlive, "c-p");
    CHECK(scene.decided() == "10.0.0.5");
  }
  SECTION("the older sandbox is of another uid") {
    scene.held("10.0.0.5", OwnerState::kAlive, "c-p");
    own.uid = "uid-2";
    CHECK(scene.decided() == "10.0.0.2");
  }
  SECTION("the older sandbox is of a uid that is not known") {
    scene.held("10.0.0.5", OwnerState::kAlive, "c-p");
    own.uid = "";
    CHECK(scene.decided() == "10.0.0.2");
  }
  SECTION("nothing is known of the older sandbox, nor its uid (imported)") {
    scene.held("10.0.0.5", OwnerState::kUnknown, "c-p");
    own.uid = "";
    CHECK(scene.decided() == "10.0.0.5");
  }
  SECTION("nothing is known of the older sandbox but another uid") {
    scene.held("10.0.0.5", OwnerState::kUnknown, "c-p");
    own.uid = "uid-2";
    CHECK(scene.decided() == "10.0.0.2");
  }
  SECTION("somebody else has it") {
    const auto state = GENERATE(OwnerState::kAlive, OwnerState::kUnknown);
    scene.held("10.0.0.5", state, "x");
    CHECK(scene.decided() == "10.0.0.2");
  }
  SECTION("it has become the gateway") {
    scene.config.range_sets[0][0].gateway = ip("10.0.0.5");
    CHECK(scene.decided() == "10.0.0.1");
  }
  SECTION("it has become reserved") {
    scene.config.reserved = {Cidr::parse("10.0.0.5/32").value()};
    CHECK(scene.decided() == "10.0.0.2");
  }
  SECTION("it is in no range any more, while its sandbox runs") {
    scene.config.range_sets = {{whole("10.7.0.0/29")}};
    CHECK(scene.decided() == "10.7.0.2");
  }
  SECTION("it is in no range any more, and it is absent") {
    own.state = BindingState::kAbsent;
    scene.config.range_sets = {{whole("10.7.0.0/29")}};
    CHECK(scene.decided() == "10.7.0.2 ends p");
  }
}

TEST_CASE("an address that is asked for ends the binding of the absent pod that had it", "[ipam]") {
  Scene scene;
  scene.bind("absent", 1, "10.0.0.5", BindingState::kAbsent);
  scene.bind("other", 2, "10.0.0.6", BindingState::kAbsent);
  scene.request.requested = {ip("10.0.0.5")};
  CHECK(scene.decided() == "10.0.0.5 ends absent");
}

TEST_CASE("whom a full pool takes an address from", "[ipam]") {
  Scene scene;
  scene.bind("a", 10, "10.0.0.2", BindingState::kPresent, "old");
  scene.bind("b", 11, "10.0.0.3", BindingState::kPresent, "old");
  scene.bind("c", 30, "10.0.0.4");
  scene.bind("d", 20, "10.0.0.5", BindingState::kAbsent);
  scene.held("10.0.0.6", OwnerState::kUnknown, "x");
  SECTION("a dead owner that no binding names") {
    scene.held("10.0.0.6", OwnerState::kDead, "x");
    CHECK(scene.decided() == "10.0.0.6");
  }
  SECTION("the pods of the earlier boot, as that ended before anything else happened") {
    CHECK(scene.decided() == "10.0.0.2 ends a");
  }
  SECTION("one marked absent in the earlier boot was absent before it ended") {
    scene.bind("e", 9, "10.0.0.6", BindingState::kAbsent, "old");
    scene.owners.table.clear();
    CHECK(scene.decided() == "10.0.0.6 ends e");
  }
  SECTION("next the one marked absent in this boot") {
    scene.held("10.0.0.2", OwnerState::kAlive, "y");
    scene.held("10.0.0.3", OwnerState::kUnknown, "y");
    CHECK(scene.decided() == "10.0.0.5 ends d");
  }
  SECTION("last a sandbox of this boot that is dead") {
    scene.held("10.0.0.2", OwnerState::kAlive, "y");
    scene.held("10.0.0.3", OwnerState::kAlive, "y");
    scene.held("10.0.0.5", OwnerState::kAlive, "y");
    scene.held("10.0.0.4", OwnerState::kDead, "c-c");
    CHECK(scene.decided() == "10.0.0.4 ends c");
  }
  SECTION("nobody, when all live") {
    for (const char* address : {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"}) {
      scene.held(address, OwnerState::kAlive, "y");
    }
    CHECK(scene.decided() == "no IP addresses available in range set: 10.0.0.1-10.0.0.6");
  }
}

}  // namespace
}  // namespace holdfast::flannel::test

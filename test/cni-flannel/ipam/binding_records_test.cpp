#include "cni-flannel/ipam/binding_records.h"

#include "test/catch.h"
#include "test/cni-flannel/ipam/ipam_node.h"

namespace holdfast::flannel::test {
namespace {

const Moment kNow{"boot-2", std::chrono::sys_seconds(std::chrono::seconds(1'700'000'000)),
                  std::chrono::seconds(90)};

Binding binding(const std::string& name, const std::string& boot, BindingState state, const char* address) {
  Binding out;
  out.key = {"default", name, "eth0"};
  out.uid = "uid-1";
  out.container_id = "c-" + name;
  out.boot_id = boot;
  out.state = state;
  out.addresses = {ip(address)};
  return out;
}

Decision giving(const char* address, std::vector<std::size_t> ended = {}) {
  Choice choice;
  choice.assigned = {Cidr::make(ip(address), 24).value(), ip("10.244.3.1")};
  return {{choice}, std::move(ended)};
}

/// "a present boot-1 10.244.3.2, ..." of the records, in order.
std::string told(const std::vector<Binding>& records) {
  std::string out;
  for (const Binding& record : records) {
    const char* state = record.state == BindingState::kPresent  ? "present"
                        : record.state == BindingState::kAbsent ? "absent"
                                                                : "ended";
    out += (out.empty() ? "" : ", ") + record.key.name + " " + state + " " + record.boot_id + " " +
           record.addresses.front().to_string();
  }
  return out;
}

TEST_CASE("an allocation records what ends, what a new boot makes absent, and the pod's own", "[ipam]") {
  const std::vector<Binding> bindings = {
      binding("old", "boot-1", BindingState::kPresent, "10.244.3.2"),
      binding("ends", "boot-1", BindingState::kAbsent, "10.244.3.3"),
      binding("here", "boot-2", BindingState::kPresent, "10.244.3.4"),
  };
  IpamConfig config;
  const AllocationRequest request = request_of("new", pod("p"));
  const Decision decision = giving("10.244.3.3", {1});
  CHECK(told(records_of_allocation(bindings, config, request, decision, kNow)) ==
        "ends ended boot-1 10.244.3.3, p present boot-2 10.244.3.3");
  SECTION("an age limit counts from when a pod of an earlier boot is known to be absent") {
    config.binding_ttl = std::chrono::hours(1);
    const auto records = records_of_allocation(bindings, config, request, decision, kNow);
    CHECK(told(records) ==
          "old absent boot-2 10.244.3.2, ends ended boot-1 10.244.3.3, p present boot-2 10.244.3.3");
    CHECK(records.front().uptime == kNow.uptime);
  }
  SECTION("without pod there is no record of its own") {
    CHECK(told(records_of_allocation(bindings, config, request_of("new", std::nullopt), giving("10.244.3.9"),
                                     kNow))
              .empty());
  }
}

TEST_CASE("a collection records the sandboxes that have gone, and no other", "[ipam]") {
  const std::vector<Binding> bindings = {
      binding("listed", "boot-2", BindingState::kPresent, "10.244.3.2"),
      binding("gone", "boot-2", BindingState::kPresent, "10.244.3.3"),
      binding("before", "boot-1", BindingState::kPresent, "10.244.3.4"),
      binding("absent", "boot-2", BindingState::kAbsent, "10.244.3.5"),
  };
  const std::vector<Attachment> valid = {attachment_of("c-listed"), {kNetwork, "c-gone", "net1"}};
  IpamConfig config;
  CHECK(told(records_of_collection(bindings, config, valid, kNow)) == "gone absent boot-2 10.244.3.3");
  config.binding_ttl = std::chrono::hours(1);
  CHECK(told(records_of_collection(bindings, config, valid, kNow)) ==
        "gone absent boot-2 10.244.3.3, before absent boot-2 10.244.3.4");
}

TEST_CASE("an undo brings back what was, and ends what was not", "[ipam]") {
  const std::vector<Binding> before = {binding("p", "boot-1", BindingState::kAbsent, "10.244.3.2")};
  const std::vector<Binding> records = {binding("p", "boot-2", BindingState::kPresent, "10.244.3.7"),
                                        binding("q", "boot-2", BindingState::kPresent, "10.244.3.8")};
  CHECK(told(undo_of(records, before)) == "p absent boot-1 10.244.3.2, q ended boot-2 10.244.3.8");
}

}  // namespace
}  // namespace holdfast::flannel::test

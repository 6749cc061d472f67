#pragma once

#include <functional>
#include <map>
#include <tuple>
#include <variant>

#include "cni-flannel/daemon/forwarding.h"

namespace holdfast::flannel::test {

/// The three tables in memory, with faults.
class FakeForwarding final : public Forwarding {
 public:
  std::vector<nl::Neighbour> neighbour_table;
  std::vector<nl::FdbEntry> fdb_table;
  std::vector<nl::Route> route_table;
  /// Called before each change; an error is its answer and nothing changes.
  std::function<Status(const ForwardingChange&)> before = [](const ForwardingChange&) { return Status{}; };
  /// The answer to the next reads of a table, in place of the table.
  std::function<Status()> before_read = [] { return Status{}; };
  std::vector<ForwardingChange> made;  ///< what succeeded, in order
  std::size_t batches = 0;

  Result<std::vector<nl::Route>> routes(IpFamily family) override {
    HOLDFAST_CHECK(before_read());
    std::vector<nl::Route> out;
    for (const nl::Route& route : route_table) {
      if (route.dst.family() == family) out.push_back(route);
    }
    return out;
  }
  Result<std::vector<nl::Neighbour>> neighbours(int ifindex, IpFamily family) override {
    HOLDFAST_CHECK(before_read());
    std::vector<nl::Neighbour> out;
    for (const nl::Neighbour& entry : neighbour_table) {
      if (entry.ifindex == ifindex && entry.address.family() == family) out.push_back(entry);
    }
    return out;
  }
  Result<std::vector<nl::FdbEntry>> fdb(int ifindex) override {
    HOLDFAST_CHECK(before_read());
    std::vector<nl::FdbEntry> out;
    for (const nl::FdbEntry& entry : fdb_table) {
      if (entry.ifindex == ifindex) out.push_back(entry);
    }
    return out;
  }
  std::vector<Status> apply(std::span<const ForwardingChange> changes) override {
    ++batches;
    std::vector<Status> out;
    for (const ForwardingChange& change : changes) {
      Status allowed = before(change);
      if (allowed) {
        std::visit([&](const auto& entry) { change_table(change.act, entry); }, change.entry);
        made.push_back(change);
      }
      out.push_back(std::move(allowed));
    }
    return out;
  }

 private:
  void change_table(ForwardingChange::Act act, const nl::Neighbour& entry) {
    std::erase_if(neighbour_table, [&](const nl::Neighbour& other) {
      return other.ifindex == entry.ifindex && other.address == entry.address;
    });
    if (act == ForwardingChange::Act::kPut) neighbour_table.push_back(entry);
  }
  void change_table(ForwardingChange::Act act, const nl::FdbEntry& entry) {
    std::erase_if(fdb_table, [&](const nl::FdbEntry& other) {
      return other.ifindex == entry.ifindex && other.mac == entry.mac &&
             (!entry.mac.is_zero() || other.dst == entry.dst);
    });
    if (act == ForwardingChange::Act::kPut) fdb_table.push_back(entry);
  }
  void change_table(ForwardingChange::Act act, const nl::Route& route) {
    const bool put = act == ForwardingChange::Act::kPut;
    std::erase_if(route_table, [&](const nl::Route& other) {
      const bool same_key = other.dst == route.dst && other.priority == route.priority;
      const bool agrees = (!route.gateway || route.gateway == other.gateway) &&
                          (route.ifindex == 0 || route.ifindex == other.ifindex) &&
                          (route.protocol == 0 || route.protocol == other.protocol);
      return same_key && (put || agrees);
    });
    if (put) route_table.push_back(route);
  }
};

}  // namespace holdfast::flannel::test

#include "cni-flannel/daemon/kernel_forwarding.h"

#include <variant>

namespace holdfast::flannel {
namespace {

nl::Request put_of(const nl::Neighbour& entry) { return nl::put_neighbour(entry); }
nl::Request put_of(const nl::FdbEntry& entry) { return nl::put_fdb(entry); }
nl::Request put_of(const nl::Route& entry) { return nl::put_route(entry); }
nl::Request drop_of(const nl::Neighbour& entry) { return nl::drop_neighbour(entry); }
nl::Request drop_of(const nl::FdbEntry& entry) { return nl::drop_fdb(entry); }
nl::Request drop_of(const nl::Route& entry) { return nl::drop_route(entry); }

nl::Request request_of(const ForwardingChange& change) {
  return std::visit(
      [&](const auto& entry) {
        return change.act == ForwardingChange::Act::kPut ? put_of(entry) : drop_of(entry);
      },
      change.entry);
}

}  // namespace

Result<std::vector<nl::Route>> KernelForwarding::routes(IpFamily family) {
  nl::RouteFilter filter;
  filter.family = family;
  return nl::list_routes(socket_, filter);
}

Result<std::vector<nl::Neighbour>> KernelForwarding::neighbours(int ifindex, IpFamily family) {
  return nl::list_neighbours(socket_, ifindex, family);
}

Result<std::vector<nl::FdbEntry>> KernelForwarding::fdb(int ifindex) {
  return nl::list_fdb(socket_, ifindex);
}

std::vector<Status> KernelForwarding::apply(std::span<const ForwardingChange> changes) {
  std::vector<nl::Request> requests;
  requests.reserve(changes.size());
  for (const ForwardingChange& change : changes) requests.push_back(request_of(change));
  return socket_.run_all(requests);
}

}  // namespace holdfast::flannel

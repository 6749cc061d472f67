#include "cni-flannel/daemon/forwarding.h"

namespace holdfast::flannel {
namespace {

std::string text_of(const nl::Neighbour& neighbour) {
  return "neighbour " + neighbour.address.to_string() + " lladdr " + neighbour.mac.to_string();
}

std::string text_of(const nl::FdbEntry& entry) {
  return "fdb " + entry.mac.to_string() + (entry.dst ? " dst " + entry.dst->to_string() : "");
}

std::string text_of(const nl::Route& route) {
  return "route " + route.dst.to_string() + (route.gateway ? " via " + route.gateway->to_string() : "");
}

}  // namespace

std::string to_string(const ForwardingEntry& entry) {
  return std::visit([](const auto& one) { return text_of(one); }, entry);
}

std::string to_string(const ForwardingChange& change) {
  const std::string act = change.act == ForwardingChange::Act::kPut ? "put " : "drop ";
  return act + to_string(change.entry);
}

}  // namespace holdfast::flannel

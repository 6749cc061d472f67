#include "egw-gateway/model/routed_ranges.h"

#include <algorithm>
#include <utility>

namespace holdfast::gateway {
namespace {

Cidr constant(std::string_view text) { return Cidr::parse(text).value_or(Cidr{}); }

/// The two blocks that a block consists of; it is no single address.
std::pair<Cidr, Cidr> halves(const Cidr& range) {
  const unsigned prefix = range.prefix() + 1U;
  const Cidr low = Cidr::make(range.first(), prefix).value_or(range);
  const Cidr high = Cidr::make(range.last(), prefix).value_or(range).network();
  return {low, high};
}

void sort_once(std::vector<Cidr>& ranges) {
  std::ranges::sort(ranges);
  ranges.erase(std::unique(ranges.begin(), ranges.end()), ranges.end());
}

/// Without blocks that lie in others.
std::vector<Cidr> outermost(std::vector<Cidr> ranges) {
  sort_once(ranges);
  std::vector<Cidr> out;
  for (const Cidr& range : ranges) {
    const bool covered = std::ranges::any_of(
        ranges, [&](const Cidr& other) { return other != range && other.contains(range); });
    if (!covered) out.push_back(range);
  }
  return out;
}

void take(std::vector<Cidr>& parts, const Cidr& taken) {
  std::vector<Cidr> left;
  for (const Cidr& part : parts) {
    const std::vector<Cidr> rest = without(part, taken);
    left.insert(left.end(), rest.begin(), rest.end());
  }
  parts = std::move(left);
}

void halve(std::vector<Cidr>& parts, const Cidr& whole) {
  const auto found = std::ranges::find(parts, whole);
  if (found == parts.end() || whole.prefix() == whole.address().bits()) return;
  const auto [low, high] = halves(whole);
  *found = low;
  parts.push_back(high);
}

std::string join(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

}  // namespace

std::vector<Cidr> without(const Cidr& range, const Cidr& taken) {
  if (!range.overlaps(taken)) return {range};
  std::vector<Cidr> out;
  Cidr rest = range.network();
  while (!taken.contains(rest)) {
    auto [low, high] = halves(rest);
    const bool in_low = low.overlaps(taken);
    out.push_back(in_low ? high : low);
    rest = in_low ? low : high;
  }
  std::ranges::sort(out);
  return out;
}

std::vector<Exemption> exemptions(const EdgeGateway& gateway) {
  std::vector<Exemption> out{
      {constant("169.254.0.0/16"), "link-local addresses"},
      {constant("fe80::/10"), "link-local addresses"},
      {constant("198.18.0.0/15"), "addresses of edge tunnels"},
      {constant("127.0.0.0/8"), "loopback addresses"},
      {constant("::1/128"), "loopback addresses"},
      {constant("224.0.0.0/4"), "multicast addresses"},
      {constant("ff00::/8"), "multicast addresses"},
  };
  for (const Cidr& cidr : gateway.pod_cidrs) out.push_back({cidr, "the pool's own pods"});
  for (const AccessPoint& point : gateway.access_points) {
    const Cidr host = Cidr::make(point.address, point.address.bits()).value_or(Cidr{});
    out.push_back({host, "access point " + point.name, true});
  }
  for (const PoolMember& node : gateway.nodes) {
    for (const IpAddress& address : node.addresses) {
      const Cidr host = Cidr::make(address, address.bits()).value_or(Cidr{});
      out.push_back({host, "node " + node.name});
    }
  }
  for (const Cidr& cidr : gateway.exempt_cidrs) out.push_back({cidr, "exempt by the pool's wish", true});
  return out;
}

std::string trouble_with_blocks(std::size_t blocks) {
  if (blocks <= kMostBlocks) return "";
  return "by what is exempt in them the ranges fall into " + std::to_string(blocks) + " blocks, and " +
         std::to_string(kMostBlocks) + " is the most with which packets are not held up: exempt fewer and " +
         "larger blocks";
}

RoutedRanges routed_ranges(const EdgeGateway& gateway, const std::vector<Exemption>& exemptions) {
  std::vector<Cidr> wanted = gateway.vpc_cidrs;
  wanted.insert(wanted.end(), gateway.cloud_pod_cidrs.begin(), gateway.cloud_pod_cidrs.end());
  RoutedRanges out;
  for (const Cidr& range : outermost(std::move(wanted))) {
    std::vector<Cidr> parts{range};
    std::vector<std::string> met;
    for (const Exemption& exempt : exemptions) {
      if (!exempt.range.overlaps(range)) continue;
      const Cidr block = exempt.range.network();
      if (exempt.yields && block.contains(range)) {
        halve(parts, block);
        out.faults.push_back(range.to_string() + " lies in " + exempt.what + ", " + block.to_string() +
                             ", and is routed to the gateways all the same");
        continue;
      }
      if (!exempt.expected) met.push_back(exempt.what + ", " + block.to_string());
      take(parts, block);
    }
    if (!met.empty()) {
      out.faults.push_back(range.to_string() + " overlaps " + join(met) +
                           (parts.empty() ? ": not routed" : ", which stays on the node's own routes"));
    }
    out.ranges.insert(out.ranges.end(), parts.begin(), parts.end());
  }
  sort_once(out.ranges);
  return out;
}

}  // namespace holdfast::gateway

#include "egw-gateway/controller/pool_request.h"

#include <algorithm>
#include <optional>

#include "common/base/text.h"
#include "egw-gateway/controller/pool_names.h"

namespace holdfast::gateway {
namespace {

constexpr std::array kIds{kCenIdAnnotation, kCcnIdAnnotation, kCcnRegionAnnotation};
// A cloud's ids are words; whatever else stands there came by mistake.
constexpr std::size_t kLongestId = 128;

std::string value_in(const Text& text, const std::string& key) {
  const auto found = text.find(key);
  return found == text.end() ? "" : found->second;
}

bool is_id(std::string_view text) {
  return text.size() <= kLongestId && std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

class Reader {
 public:
  Reader(const NodePool& pool, const Text& kept) : pool_(pool), kept_(kept) {}

  PoolRequest read() {
    out_.enhanced = std::ranges::any_of(kIds, [&](const char* key) { return !asked(key).empty(); });
    if (!out_.enhanced) return out_;
    for (const char* key : kEnhancedAnnotations) look_at(key);
    read_values();
    look_for_contradictions();
    out_.usable = usable_;
    return out_;
  }

 private:
  [[nodiscard]] std::string asked(const char* key) const {
    return std::string(trim(value_in(pool_.annotations, key)));
  }

  void tell(const char* reason, std::string message) {
    out_.findings.push_back({kAnnotationsUsable, reason, std::move(message)});
  }

  void refuse(const char* reason, std::string message) {
    usable_ = false;
    tell(reason, std::move(message));
  }

  // Which value counts.
  void look_at(const char* key) {
    const std::string now = asked(key);
    const std::string was = value_in(kept_, key);
    if (now.empty() && was.empty()) {
      return refuse("AnnotationMissing", std::string(key) + " is missing: give it to the NodePool");
    }
    if (now.empty()) {
      tell("AnnotationMissing",
           std::string(key) + " is missing: '" + was + "' goes on to count; give it back to the NodePool");
    } else if (!was.empty() && now != was) {
      tell("AnnotationChanged",
           std::string(key) + " was changed to '" + now + "': '" + was +
               "' goes on to count; put it back, or take the annotation off the EdgeGateway");
    }
    out_.accepted[key] = was.empty() ? now : was;
  }

  void read_values() {
    const Text& values = out_.accepted;
    if (const std::string text = value_in(values, kMaxNodesAnnotation); !text.empty()) {
      const Result<std::uint32_t> count = kube::parse_max_nodes(text);
      if (!count)
        return refuse("AnnotationInvalid", invalid(kMaxNodesAnnotation, text, "is no number of nodes"));
      out_.max_nodes = *count;
    }
    if (const std::string text = value_in(values, kPodCidrsAnnotation); !text.empty()) {
      Result<std::vector<Cidr>> ranges = kube::parse_pod_cidrs(text);
      if (!ranges)
        return refuse("AnnotationInvalid", std::string(kPodCidrsAnnotation) + ": " + ranges.error().message);
      out_.pod_cidrs = *std::move(ranges);
    }
    for (const char* key : kIds) {
      const std::string text = value_in(values, key);
      if (!is_id(text)) return refuse("AnnotationInvalid", invalid(key, text, "is no id"));
    }
    out_.cen_id = value_in(values, kCenIdAnnotation);
    out_.ccn_id = value_in(values, kCcnIdAnnotation);
    out_.ccn_region = value_in(values, kCcnRegionAnnotation);
  }

  static std::string invalid(const char* key, const std::string& text, const char* why) {
    return std::string(key) + ": '" + text.substr(0, kLongestId) + "' " + why;
  }

  void look_for_contradictions() {
    if (asked(kIsDefaultAnnotation) == "true") {
      refuse("AnnotationContradictory",
             std::string(kIsDefaultAnnotation) +
                 " is true, and a default pool cannot be enhanced: take off one or the other");
    }
    if (pool_.type == "Cloud") {
      refuse("AnnotationContradictory",
             "the NodePool is of type Cloud, and only pools of type Edge can be enhanced");
    }
  }

  const NodePool& pool_;
  const Text& kept_;
  PoolRequest out_;
  bool usable_ = true;
};

void add_overlap(std::vector<PoolFinding>& out, const std::string& one, const std::string& other) {
  out.push_back(
      {kRangesDisjoint, "RangesOverlap", one + " overlaps " + other + ": give one of them another range"});
}

std::vector<Cidr> ranges_of(const EdgeGateway& cloud) {
  std::vector<Cidr> out = cloud.vpc_cidrs;
  out.insert(out.end(), cloud.cloud_pod_cidrs.begin(), cloud.cloud_pod_cidrs.end());
  return out;
}

void look_at_access_points(const Cidr& pods, const EdgeGateway& cloud, std::vector<PoolFinding>& out) {
  for (const AccessPoint& point : cloud.access_points) {
    std::vector<IpAddress> addresses = point.tunnel_addresses;
    addresses.push_back(point.address);
    for (const IpAddress& address : addresses) {
      if (!pods.contains(address)) continue;
      add_overlap(out, "the pool's range " + pods.to_string(),
                  "access point " + point.name + "'s address " + address.to_string());
    }
  }
}

void look_at_node(const PoolNode& node, const std::vector<Cidr>& pods, const std::vector<Cidr>& cloud,
                  std::vector<PoolFinding>& out) {
  for (const IpAddress& address : node.addresses) {
    const std::string name = "node " + node.id.name + "'s address " + address.to_string();
    for (const Cidr& range : cloud) {
      if (range.contains(address)) add_overlap(out, name, "the cloud's " + range.to_string());
    }
    for (const Cidr& range : pods) {
      if (range.contains(address)) add_overlap(out, name, "the pool's range " + range.to_string());
    }
  }
}

}  // namespace

PoolRequest read_request(const NodePool& pool, const Text& kept) { return Reader(pool, kept).read(); }

std::vector<PoolFinding> find_overlaps(const std::vector<Cidr>& pods, const EdgeGateway& cloud,
                                       const std::vector<OtherRange>& others) {
  std::vector<PoolFinding> out;
  const std::vector<Cidr> reached = ranges_of(cloud);
  for (auto pod = pods.begin(); pod != pods.end(); ++pod) {
    const std::string name = "the pool's range " + pod->to_string();
    for (auto next = pod + 1; next != pods.end(); ++next) {
      if (pod->overlaps(*next)) add_overlap(out, name, "its range " + next->to_string());
    }
    for (const Cidr& range : reached) {
      if (pod->overlaps(range)) add_overlap(out, name, "the cloud's " + range.to_string());
    }
    look_at_access_points(*pod, cloud, out);
    for (const OtherRange& other : others) {
      if (pod->overlaps(other.range))
        add_overlap(out, name, "pool " + other.pool + "'s " + other.range.to_string());
    }
  }
  return out;
}

std::vector<PoolFinding> find_misplaced_nodes(const std::vector<Cidr>& pods, const EdgeGateway& cloud,
                                              const std::vector<const PoolNode*>& nodes) {
  std::vector<PoolFinding> out;
  const std::vector<Cidr> reached = ranges_of(cloud);
  for (const PoolNode* node : nodes) look_at_node(*node, pods, reached, out);
  return out;
}

}  // namespace holdfast::gateway

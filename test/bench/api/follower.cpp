#include "test/bench/api/follower.h"

#include <utility>

namespace holdfast::bench {
namespace {

constexpr std::chrono::seconds kPatience{60};

}  // namespace

flannel::NodeNetwork network_of(const std::string& node, unsigned number, const std::string& mac) {
  const std::string third = std::to_string(number % 256);
  flannel::NodeNetwork out;
  out.node = node;
  out.backend_type = flannel::kVxlanBackend;
  out.pod_cidrs = {Cidr::parse("10." + std::to_string(64 + number / 256) + "." + third + ".0/24").value()};
  out.backend_data = flannel::BackendData{1, MacAddress::parse(mac).value()};
  out.public_ip =
      IpAddress::parse("192.168." + std::to_string(number / 250) + "." + std::to_string(1 + number % 250))
          .value();
  out.lease_epoch = 1;
  return out;
}

Follower::Follower(const std::string& server_url)
    : loop_(EventLoop::create(clock_).value()),
      http_(kube::CurlHttp::create(*loop_, {.server = server_url}, files_, metrics_, "flanneld").value()),
      client_(std::make_unique<kube::ObjectClient>(
          *loop_, *http_, kube::ObjectClientOptions{.field_manager = "flanneld"}, 1)),
      options_{.objects = flannel::ApiObjects::kNodeNetworks,
               .node = "own",
               .keys = flannel::AnnotationKeys::with_prefix().value()} {}

void Follower::start() {
  reachable = false;
  source_ = std::make_unique<flannel::ApiLeaseSource>(*loop_, *http_, *client_, options_);
  static_cast<void>(source_->start(*this));
}

void Follower::stop() { source_.reset(); }

void Follower::publish(const std::string& mac) { source_->publish(network_of("own", 1, mac), {}); }

Status Follower::turn_until(const std::function<bool()>& done) {
  const auto limit = clock_.since_boot() + kPatience;
  while (!done()) {
    if (clock_.since_boot() > limit) {
      return fail(Code::kDeadlineExceeded, "the API server's answer was waited for in vain");
    }
    HOLDFAST_CHECK(loop_->turn(std::chrono::milliseconds(20)));
  }
  return {};
}

void Follower::upsert(flannel::NodeNetworkObject node) {
  ++upserts;
  nodes[node.identity.name] = std::move(node);
}

}  // namespace holdfast::bench

#pragma once

#include <deque>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "common/base/event_loop.h"
#include "egw-gateway/bfd/transport.h"

namespace holdfast::bfd::test {

class FakeTransport;

/// Carries datagrams between transports by their addresses, at once.
class FakeNetwork {
 public:
  explicit FakeNetwork(EventLoop& loop) : loop_(loop) {}

  std::function<bool(const Outgoing&)> loses = [](const Outgoing&) { return false; };
  std::uint8_t ttl = kTtl;  ///< with which they arrive

 private:
  friend class FakeTransport;
  EventLoop& loop_;
  std::map<IpAddress, FakeTransport*> ends_;
};

/// A machine with these addresses. Like UdpTransport it takes only paths of kinds that are open.
class FakeTransport final : public Transport {
 public:
  FakeTransport(FakeNetwork& network, const std::vector<IpAddress>& addresses) : network_(network) {
    for (const IpAddress& address : addresses) network_.ends_[address] = this;
  }
  FakeTransport(const FakeTransport&) = delete;
  FakeTransport& operator=(const FakeTransport&) = delete;
  ~FakeTransport() override {
    std::erase_if(network_.ends_, [this](const auto& end) { return end.second == this; });
  }

  Status open(Hops hops, IpFamily family) override {
    if (refuses) return fail(Code::kFailedPrecondition, "the port is taken");
    open_[{hops, family}] = true;
    return {};
  }
  Sent send(std::span<const Outgoing> packets) override {
    ++send_calls;
    for (const Outgoing& packet : packets) {
      if (!open_.contains({packet.path.hops, packet.path.peer.family()})) return {packets.size(), EBADF};
      sent.push_back(packet);
      const auto end = network_.ends_.find(packet.path.peer);
      if (!network_.loses(packet) && end != network_.ends_.end()) end->second->put(packet);
    }
    return {};
  }
  void receive(const std::function<void(const Incoming&)>& take) override {
    while (!inbox_.empty()) {
      const Outgoing packet = std::exchange(inbox_.front(), {});
      inbox_.pop_front();
      Incoming incoming;
      incoming.path = {packet.path.hops, packet.path.peer, packet.path.local, interface};
      incoming.ttl = network_.ttl;
      incoming.payload = packet.packet.view();
      take(incoming);
    }
  }
  void on_readable(std::function<void()> readable) override { readable_ = std::move(readable); }

  /// As if it had come from `packet.path.local` to `packet.path.peer`.
  void put(const Outgoing& packet) {
    inbox_.push_back(packet);
    network_.loop_.post([this, network = &network_] {
      for (const auto& [address, end] : network->ends_) {
        if (end == this && !inbox_.empty() && readable_) return readable_();
      }
    });
  }

  bool refuses = false;
  int interface = 1;  ///< by which all comes
  int send_calls = 0;
  std::vector<Outgoing> sent;

 private:
  FakeNetwork& network_;
  std::map<std::pair<Hops, IpFamily>, bool> open_;
  std::deque<Outgoing> inbox_;
  std::function<void()> readable_;
};

}  // namespace holdfast::bfd::test

#include "common/wireguard/tunnel.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace holdfast::wireguard {
namespace {

constexpr std::chrono::seconds kLongestKeepalive{65535};

std::set<Cidr> networks(const std::vector<Cidr>& all) {
  std::set<Cidr> out;
  for (const Cidr& each : all) out.insert(each.network());
  return out;
}

KeyBytes bytes_or_zero(const std::optional<SecretKey>& key) { return key ? key->bytes() : KeyBytes{}; }

/// nullopt: it is as it is to be.
std::optional<PeerChange> change_of(const PeerSpec& wanted, const PeerState* actual) {
  const PeerSpec none{wanted.key, {}, {}, {}, {}};
  const PeerSpec& now = actual == nullptr ? none : actual->peer;
  PeerChange out{.key = wanted.key};
  if (wanted.preshared != now.preshared) out.preshared = bytes_or_zero(wanted.preshared);
  if (wanted.endpoint && wanted.endpoint != now.endpoint) out.endpoint = wanted.endpoint;
  if (wanted.keepalive != now.keepalive) out.keepalive = wanted.keepalive;
  if (networks(wanted.allowed) != networks(now.allowed)) out.allowed = wanted.allowed;
  const bool differs = out.preshared || out.endpoint || out.keepalive || out.allowed;
  if (actual != nullptr && !differs) return std::nullopt;
  return out;
}

Status check(const TunnelSpec& wanted) {
  std::set<PublicKey> keys;
  for (const PeerSpec& peer : wanted.peers) {
    if (!keys.insert(peer.key).second) {
      return fail(Code::kInvalidArgument, "WireGuard peer " + peer.key.to_string() + " is named twice");
    }
    if (peer.keepalive < std::chrono::seconds(0) || peer.keepalive > kLongestKeepalive) {
      return fail(Code::kInvalidArgument,
                  "keepalive of WireGuard peer " + peer.key.to_string() + " must be 0..65535 s");
    }
  }
  return {};
}

}  // namespace

std::string Endpoint::to_string() const {
  const std::string host = address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
  return host + ":" + std::to_string(port);
}

Result<Endpoint> Endpoint::parse(const std::string& text) {
  const auto error =
      fail(Code::kInvalidArgument, "'" + text + "' is not an endpoint: ADDRESS:PORT or [ADDRESS]:PORT");
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return error;
  std::string host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const Result<IpAddress> address = IpAddress::parse(host);
  Endpoint out;
  const char* end = text.data() + text.size();
  const auto [stop, failed] = std::from_chars(text.data() + colon + 1, end, out.port);
  if (!address || address->is_v4() == bracketed || failed != std::errc() || stop != end) return error;
  out.address = *address;
  return out;
}

Change plan(const TunnelSpec& wanted, const TunnelState& actual) {
  Change out;
  if (actual.private_key != wanted.private_key) out.private_key = wanted.private_key;
  if (wanted.listen_port != 0 && wanted.listen_port != actual.listen_port)
    out.listen_port = wanted.listen_port;
  if (wanted.fwmark != actual.fwmark) out.fwmark = wanted.fwmark;
  for (const PeerState& state : actual.peers) {
    const bool stays = std::any_of(wanted.peers.begin(), wanted.peers.end(),
                                   [&](const PeerSpec& peer) { return peer.key == state.peer.key; });
    if (!stays) out.peers.push_back({.key = state.peer.key, .remove = true});
  }
  for (const PeerSpec& peer : wanted.peers) {
    const auto found = std::find_if(actual.peers.begin(), actual.peers.end(),
                                    [&](const PeerState& state) { return state.peer.key == peer.key; });
    if (auto change = change_of(peer, found == actual.peers.end() ? nullptr : &*found)) {
      out.peers.push_back(*std::move(change));
    }
  }
  return out;
}

Status apply(WireGuard& wireguard, const std::string& name, const TunnelSpec& wanted) {
  HOLDFAST_CHECK(check(wanted));
  HOLDFAST_CHECK(wireguard.ensure(name));
  HOLDFAST_TRY(const TunnelState actual, wireguard.read(name));
  const Change change = plan(wanted, actual);
  return change.empty() ? Status{} : wireguard.change(name, change);
}

}  // namespace holdfast::wireguard

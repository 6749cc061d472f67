#include "common/wireguard/genetlink.h"

#include <linux/genetlink.h>
#include <linux/time_types.h>
#include <linux/wireguard.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "common/base/socket_address.h"
#include "common/netlink/wire.h"

namespace holdfast::wireguard {
namespace {

static_assert(WG_KEY_LEN == kKeyBytes);

// Of one message: 40 bytes each, and what a peer has besides.
constexpr std::size_t kAllowedAtOnce = 256;
constexpr std::size_t kSetBytes = 16 * 1024;

nl::Writer message(std::uint16_t family, std::uint8_t command, const std::string& name,
                   std::size_t capacity) {
  nl::Writer out(family, 0, genlmsghdr{command, WG_GENL_VERSION, 0}, capacity);
  out.text(WGDEVICE_A_IFNAME, name);
  return out;
}

void put_key(nl::Writer& out, int type, const KeyBytes& key) { out.bytes(type, key.data(), key.size()); }

nl::MessagePtr own_message(std::uint16_t family, const std::string& name, const Change& change) {
  nl::Writer out = message(family, WG_CMD_SET_DEVICE, name, kSetBytes);
  if (change.private_key) put_key(out, WGDEVICE_A_PRIVATE_KEY, change.private_key->bytes());
  if (change.listen_port) out.u16(WGDEVICE_A_LISTEN_PORT, *change.listen_port);
  if (change.fwmark) out.u32(WGDEVICE_A_FWMARK, *change.fwmark);
  return std::move(out).take();
}

void put_allowed(nl::Writer& out, std::span<const Cidr> some) {
  if (some.empty()) return;
  out.nest(WGPEER_A_ALLOWEDIPS, [&] {
    for (const Cidr& each : some) {
      out.nest(0, [&] {
        out.u16(WGALLOWEDIP_A_FAMILY, static_cast<std::uint16_t>(nl::address_family(each.family())));
        out.address(WGALLOWEDIP_A_IPADDR, each.network().address());
        out.u8(WGALLOWEDIP_A_CIDR_MASK, each.prefix());
      });
    }
  });
}

void put_details(nl::Writer& out, const PeerChange& peer) {
  if (peer.preshared) put_key(out, WGPEER_A_PRESHARED_KEY, *peer.preshared);
  if (peer.endpoint) {
    const SocketAddress at = to_socket_address(peer.endpoint->address, peer.endpoint->port);
    out.bytes(WGPEER_A_ENDPOINT, at.get(), at.size);
  }
  if (peer.keepalive) {
    out.u16(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, static_cast<std::uint16_t>(peer.keepalive->count()));
  }
}

/// `body` writes what stands behind the peer's key and flags.
template <class F>
nl::MessagePtr peer_message(std::uint16_t family, const std::string& name, const PublicKey& key,
                            std::uint32_t flags, F body) {
  nl::Writer out = message(family, WG_CMD_SET_DEVICE, name, kSetBytes);
  out.nest(WGDEVICE_A_PEERS, [&] {
    out.nest(0, [&] {
      put_key(out, WGPEER_A_PUBLIC_KEY, key.bytes());
      if (flags != 0) out.u32(WGPEER_A_FLAGS, flags);
      body(out);
    });
  });
  return std::move(out).take();
}

void add_peer(std::vector<nl::MessagePtr>& out, std::uint16_t family, const std::string& name,
              const PeerChange& peer) {
  if (peer.remove) {
    out.push_back(peer_message(family, name, peer.key, WGPEER_F_REMOVE_ME, [](nl::Writer&) {}));
    return;
  }
  std::span<const Cidr> left;
  if (peer.allowed) left = *peer.allowed;
  std::span<const Cidr> some = left.first(std::min(left.size(), kAllowedAtOnce));
  const std::uint32_t flags = peer.allowed ? std::uint32_t{WGPEER_F_REPLACE_ALLOWEDIPS} : 0U;
  out.push_back(peer_message(family, name, peer.key, flags, [&](nl::Writer& writer) {
    put_details(writer, peer);
    put_allowed(writer, some);
  }));
  for (left = left.subspan(some.size()); !left.empty(); left = left.subspan(some.size())) {
    some = left.first(std::min(left.size(), kAllowedAtOnce));
    out.push_back(
        peer_message(family, name, peer.key, 0, [&](nl::Writer& writer) { put_allowed(writer, some); }));
  }
}

std::optional<KeyBytes> key_in(const nl::Attributes& attributes, int type) {
  const std::span<const std::uint8_t> all = attributes.bytes(type);
  KeyBytes out{};
  if (all.size() != out.size()) return std::nullopt;
  std::copy(all.begin(), all.end(), out.begin());
  return out;
}

/// All zero is what the kernel says for none.
std::optional<SecretKey> secret_in(const nl::Attributes& attributes, int type) {
  const auto key = key_in(attributes, type);
  if (!key || *key == KeyBytes{}) return std::nullopt;
  return SecretKey(*key);
}

std::optional<Endpoint> endpoint_in(const nl::Attributes& attributes) {
  const std::span<const std::uint8_t> all = attributes.bytes(WGPEER_A_ENDPOINT);
  sockaddr_storage raw{};
  if (all.size() != sizeof(sockaddr_in) && all.size() != sizeof(sockaddr_in6)) return std::nullopt;
  std::memcpy(&raw, all.data(), all.size());
  const bool is_v4 = all.size() == sizeof(sockaddr_in);
  const auto address = address_of(raw);
  sockaddr_in port{};  // stands where sockaddr_in6 has it
  std::memcpy(&port, &raw, sizeof port);
  if (!address || address->is_v4() != is_v4) return std::nullopt;
  return Endpoint{*address, ntohs(port.sin_port)};
}

std::optional<std::chrono::system_clock::time_point> handshake_in(const nl::Attributes& attributes) {
  const std::span<const std::uint8_t> all = attributes.bytes(WGPEER_A_LAST_HANDSHAKE_TIME);
  __kernel_timespec time{};
  if (all.size() != sizeof time) return std::nullopt;
  std::memcpy(&time, all.data(), sizeof time);
  constexpr std::int64_t kLongest = std::int64_t{1} << 33U;  // what nanoseconds of 64 bits hold
  if (time.tv_sec <= 0 || time.tv_sec > kLongest) return std::nullopt;
  return std::chrono::system_clock::time_point(std::chrono::seconds(time.tv_sec) +
                                               std::chrono::nanoseconds(time.tv_nsec % 1'000'000'000));
}

std::optional<Cidr> allowed_in(const nlattr* nest) {
  const nl::Attributes attributes(nest);
  const auto address = attributes.address(WGALLOWEDIP_A_IPADDR);
  const auto prefix = attributes.u8(WGALLOWEDIP_A_CIDR_MASK);
  return address && prefix ? nl::to_cidr(*address, *prefix) : std::nullopt;
}

}  // namespace

nl::MessagePtr get_message(std::uint16_t family, const std::string& name) {
  return message(family, WG_CMD_GET_DEVICE, name, /*capacity=*/128).take();
}

std::vector<nl::MessagePtr> set_messages(std::uint16_t family, const std::string& name,
                                         const Change& change) {
  std::vector<nl::MessagePtr> out;
  if (change.private_key || change.listen_port || change.fwmark) {
    out.push_back(own_message(family, name, change));
  }
  for (const PeerChange& peer : change.peers) add_peer(out, family, name, peer);
  return out;
}

void StateReader::take(const nlmsghdr* message) {
  const nl::Attributes attributes(message, sizeof(genlmsghdr));
  if (auto key = secret_in(attributes, WGDEVICE_A_PRIVATE_KEY)) state_.private_key = key;
  if (const auto port = attributes.u16(WGDEVICE_A_LISTEN_PORT)) state_.listen_port = *port;
  if (const auto mark = attributes.u32(WGDEVICE_A_FWMARK)) state_.fwmark = *mark;
  nl::for_each_attribute(attributes.find(WGDEVICE_A_PEERS), [&](const nlattr* peer) { take_peer(peer); });
}

void StateReader::take_peer(const nlattr* nest) {
  const nl::Attributes attributes(nest);
  const auto key = key_in(attributes, WGPEER_A_PUBLIC_KEY);
  if (!key) {
    unreadable_ = "a peer without its public key";
    return;
  }
  const bool goes_on = !state_.peers.empty() && state_.peers.back().peer.key == PublicKey(*key);
  if (!goes_on) {
    PeerState& made = state_.peers.emplace_back();
    made.peer.key = PublicKey(*key);
    made.peer.preshared = secret_in(attributes, WGPEER_A_PRESHARED_KEY);
    made.peer.endpoint = endpoint_in(attributes);
    made.peer.keepalive =
        std::chrono::seconds(attributes.u16(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL).value_or(0));
    made.last_handshake = handshake_in(attributes);
    made.received_bytes = attributes.u64(WGPEER_A_RX_BYTES).value_or(0);
    made.sent_bytes = attributes.u64(WGPEER_A_TX_BYTES).value_or(0);
  }
  take_allowed(state_.peers.back(), attributes.find(WGPEER_A_ALLOWEDIPS));
}

void StateReader::take_allowed(PeerState& peer, const nlattr* list) {
  nl::for_each_attribute(list, [&](const nlattr* each) {
    if (const auto cidr = allowed_in(each)) {
      peer.peer.allowed.push_back(*cidr);
    } else {
      unreadable_ = "an allowed address";
    }
  });
}

void StateReader::restart() { *this = {}; }

Result<TunnelState> StateReader::finish() && {
  if (unreadable_ != nullptr) {
    return fail(Code::kDataLoss,
                "the kernel's answer has " + std::string(unreadable_) + " that cannot be read");
  }
  return std::move(state_);
}

}  // namespace holdfast::wireguard

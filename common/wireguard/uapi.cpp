#include "common/wireguard/uapi.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>

#include "common/base/sha.h"

namespace holdfast::wireguard {
namespace {

std::string hex(const KeyBytes& bytes) {
  const void* raw = bytes.data();
  return to_hex({static_cast<const char*>(raw), bytes.size()});
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const char* end = text.data() + text.size();
  const auto [stop, failed] = std::from_chars(text.data(), end, out);
  return failed == std::errc() && stop == end;
}

std::optional<KeyBytes> read_key(std::string_view text) {
  KeyBytes out{};
  if (text.size() != 2 * out.size()) return std::nullopt;
  for (std::size_t n = 0; n < out.size(); ++n) {
    const char* at = text.data() + 2 * n;
    const auto [stop, failed] = std::from_chars(at, at + 2, out.at(n), 16);
    if (failed != std::errc() || stop != at + 2) return std::nullopt;
  }
  return out;
}

std::optional<SecretKey> secret_or_none(const KeyBytes& bytes) {
  const bool none = std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
  return none ? std::nullopt : std::optional(SecretKey(bytes));
}

/// A state, as its lines come.
class Reader {
 public:
  /// False: the value is not one of this key.
  bool take(std::string_view key, std::string_view value) {
    if (key == "public_key") return take_peer(value);
    return state_.peers.empty() ? take_own(key, value) : take_of_peer(state_.peers.back(), key, value);
  }
  TunnelState finish() { return std::move(state_); }

 private:
  bool take_peer(std::string_view value) {
    const auto bytes = read_key(value);
    if (!bytes) return false;
    PeerState peer;
    peer.peer.key = PublicKey(*bytes);
    state_.peers.push_back(std::move(peer));
    handshake_ = {};
    return true;
  }
  bool take_own(std::string_view key, std::string_view value) {
    if (key == "listen_port") return read_number(value, state_.listen_port);
    if (key == "fwmark") return read_number(value, state_.fwmark);
    if (key != "private_key") return true;
    const auto bytes = read_key(value);
    if (bytes) state_.private_key = secret_or_none(*bytes);
    return bytes.has_value();
  }
  bool take_of_peer(PeerState& out, std::string_view key, std::string_view value) {
    if (key == "rx_bytes") return read_number(value, out.received_bytes);
    if (key == "tx_bytes") return read_number(value, out.sent_bytes);
    if (key == "endpoint") return take_endpoint(out, value);
    if (key == "allowed_ip") return take_allowed(out, value);
    if (key == "last_handshake_time_sec") return take_handshake(out, value, handshake_.seconds);
    if (key == "last_handshake_time_nsec") return take_handshake(out, value, handshake_.nanoseconds);
    if (key == "persistent_keepalive_interval") {
      std::uint16_t seconds = 0;
      const bool good = read_number(value, seconds);
      out.peer.keepalive = std::chrono::seconds(seconds);
      return good;
    }
    if (key != "preshared_key") return true;
    const auto bytes = read_key(value);
    if (bytes) out.peer.preshared = secret_or_none(*bytes);
    return bytes.has_value();
  }
  static bool take_endpoint(PeerState& out, std::string_view value) {
    const auto endpoint = Endpoint::parse(std::string(value));
    if (endpoint) out.peer.endpoint = *endpoint;
    return endpoint.has_value();
  }
  static bool take_allowed(PeerState& out, std::string_view value) {
    const auto cidr = Cidr::parse(value);
    if (cidr) out.peer.allowed.push_back(*cidr);
    return cidr.has_value();
  }
  bool take_handshake(PeerState& out, std::string_view value, std::uint32_t& part) {
    if (!read_number(value, part)) return false;
    if (handshake_.seconds == 0 && handshake_.nanoseconds == 0) return true;
    out.last_handshake = std::chrono::system_clock::time_point(
        std::chrono::seconds(handshake_.seconds) + std::chrono::nanoseconds(handshake_.nanoseconds));
    return true;
  }

  struct Handshake {
    std::uint32_t seconds = 0;
    std::uint32_t nanoseconds = 0;
  };
  TunnelState state_;
  Handshake handshake_;  // of the peer being read
};

tl::unexpected<Error> unreadable(std::string_view key) {
  return fail(Code::kInvalidArgument,
              "WireGuard answers with a line '" + std::string(key) + "=' that cannot be read");
}

/// Calls `take` with each line before errno=, which is the answer's end.
Status read_lines(std::string_view answer,
                  const std::function<bool(std::string_view, std::string_view)>& take) {
  while (!answer.empty()) {
    const std::size_t end = answer.find('\n');
    if (end == std::string_view::npos) break;
    const std::string_view line = answer.substr(0, end);
    answer.remove_prefix(end + 1);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return unreadable("");
    const std::string_view key = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    if (key != "errno") {
      if (!take(key, value)) return unreadable(key);
      continue;
    }
    int number = 0;
    if (!read_number(value, number) || number == std::numeric_limits<int>::min()) return unreadable(key);
    if (number == 0) return {};
    return fail_errno(std::abs(number), "WireGuard refuses");
  }
  return fail(Code::kDataLoss, "WireGuard's answer has no end");
}

std::string lines_of(const PeerChange& peer) {
  std::string out = "public_key=" + hex(peer.key.bytes()) + "\n";
  if (peer.remove) return out + "remove=true\n";
  if (peer.preshared) out += "preshared_key=" + hex(*peer.preshared) + "\n";
  if (peer.endpoint) out += "endpoint=" + peer.endpoint->to_string() + "\n";
  if (peer.keepalive)
    out += "persistent_keepalive_interval=" + std::to_string(peer.keepalive->count()) + "\n";
  if (!peer.allowed) return out;
  out += "replace_allowed_ips=true\n";
  for (const Cidr& each : *peer.allowed) out += "allowed_ip=" + each.network().to_string() + "\n";
  return out;
}

}  // namespace

std::string set_request(const Change& change) {
  std::string out = "set=1\n";
  if (change.private_key) out += "private_key=" + hex(change.private_key->bytes()) + "\n";
  if (change.listen_port) out += "listen_port=" + std::to_string(*change.listen_port) + "\n";
  if (change.fwmark) out += "fwmark=" + std::to_string(*change.fwmark) + "\n";
  for (const PeerChange& peer : change.peers) out += lines_of(peer);
  return out + "\n";
}

Result<TunnelState> parse_state(std::string_view answer) {
  Reader reader;
  HOLDFAST_CHECK(read_lines(
      answer, [&](std::string_view key, std::string_view value) { return reader.take(key, value); }));
  return reader.finish();
}

Status parse_done(std::string_view answer) {
  return read_lines(answer, [](std::string_view, std::string_view) { return true; });
}

}  // namespace holdfast::wireguard

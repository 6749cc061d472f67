#include <algorithm>

#include "common/wireguard/uapi.h"
#include "test/fuzz/fuzz_text.h"

// Whatever wireguard-go answers, no error repeats what might be a secret, and a state that was read is one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::wireguard;
  using holdfast::fuzz::require;
  const auto state = parse_state(holdfast::fuzz::text_of(data, size));
  if (!state) return 0;
  for (const PeerState& peer : state->peers) {
    require(peer.peer.keepalive.count() >= 0 && peer.peer.keepalive.count() <= 65535);
  }
  TunnelSpec wanted{
      state->private_key.value_or(SecretKey(KeyBytes{})), state->listen_port, state->fwmark, {}};
  for (const PeerState& peer : state->peers) wanted.peers.push_back(peer.peer);
  static_cast<void>(plan(wanted, *state));
  return 0;
}

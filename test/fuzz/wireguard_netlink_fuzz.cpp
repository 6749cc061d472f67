#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "common/wireguard/genetlink.h"
#include "test/fuzz/fuzz_text.h"

// Whatever a kernel answers, in one message or in two, the reader stays within it, and a state that was read
// is one that could be asked for.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::wireguard;
  alignas(nlmsghdr) std::array<std::uint8_t, 4096> space{};
  StateReader reader;
  const std::size_t longest = space.size() - NLMSG_HDRLEN;
  for (int message = 0; message < 2; ++message) {
    const std::size_t part = std::min(message == 0 ? size / 2 : size, longest);
    nlmsghdr header{};
    header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_HDRLEN + part);
    std::memcpy(space.data(), &header, sizeof header);
    std::copy_n(data, part, space.begin() + NLMSG_HDRLEN);
    const void* raw = space.data();
    reader.take(static_cast<const nlmsghdr*>(raw));
    data += part;
    size -= part;
  }
  const auto state = std::move(reader).finish();
  if (!state) return 0;
  for (const PeerState& peer : state->peers) {
    holdfast::fuzz::require(peer.peer.keepalive.count() >= 0 && peer.peer.keepalive.count() <= 65535);
  }
  TunnelSpec wanted{
      state->private_key.value_or(SecretKey(KeyBytes{})), state->listen_port, state->fwmark, {}};
  for (const PeerState& peer : state->peers) wanted.peers.push_back(peer.peer);
  static_cast<void>(set_messages(1, "wg0", plan(wanted, *state)));
  return 0;
}

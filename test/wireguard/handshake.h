#pragma once

#include <chrono>

#include "common/wireguard/key.h"
#include "common/wireguard/tunnel.h"

namespace holdfast::test {

/// Sends the first message of a WireGuard handshake as the owner of `own`, whose clock says `when`, and waits
/// for a second. True: it is answered. Goes no further: there is no session. Source:
/// https://www.wireguard.com/papers/wireguard.pdf section 5.4.2
[[nodiscard]] bool begins_handshake(const wireguard::SecretKey& own, const wireguard::PublicKey& peer,
                                    const wireguard::Endpoint& to,
                                    std::chrono::system_clock::time_point when);

}  // namespace holdfast::test

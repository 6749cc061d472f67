#include <algorithm>
#include <vector>

#include "egw-gateway/bfd/authentication.h"
#include "egw-gateway/bfd/packet.h"
#include "test/fuzz/fuzz_text.h"

// Whatever arrives, what is taken for a packet is written as it was read, and only a signed one is authentic.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::bfd;
  using holdfast::fuzz::require;
  const std::vector<std::uint8_t> payload(data, data + size);
  const auto packet = parse_packet(payload);
  if (!packet) return 0;
  Packet plain = *packet;
  plain.authenticated = false;
  const auto again = parse_packet(encode(plain).view());
  require(again.has_value() && *again == plain);

  const Keys keys{{1, "secret"}, {}};
  Authenticator receiver(keys, 1);
  if (!receiver.verify(payload, *packet, {}, {})) {
    // found by chance only if the sender is the same: the same packet with the same number
    WirePacket wire = encode(plain);
    const std::uint32_t number = std::uint32_t{payload[28]} << 24U | std::uint32_t{payload[29]} << 16U |
                                 std::uint32_t{payload[30]} << 8U | std::uint32_t{payload[31]};
    Authenticator(keys, number).sign(wire);
    require(std::equal(wire.bytes.begin() + 32, wire.bytes.end(), payload.begin() + 32));
  }
  return 0;
}

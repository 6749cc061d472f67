#include "cni-flannel/plugin/announce.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <iterator>

namespace holdfast::flannel {

namespace {

using Frame = std::vector<std::uint8_t>;

constexpr std::array<std::uint8_t, 6> kEveryone = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
constexpr std::array<std::uint8_t, 6> kAllNodesMac = {0x33, 0x33, 0, 0, 0, 1};
constexpr std::array<std::uint8_t, 16> kAllNodes = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr std::uint8_t kIcmpV6 = 58;
constexpr std::uint8_t kNeighbourAdvertisement = 136;
constexpr std::uint8_t kOverride = 0x20;  // flag O: replace what you have cached

void append(Frame& frame, std::span<const std::uint8_t> bytes) {
  std::ranges::copy(bytes, std::back_inserter(frame));
}

Frame ethernet(std::span<const std::uint8_t> destination, const MacAddress& source, std::uint16_t type) {
  Frame frame;
  append(frame, destination);
  append(frame, source.bytes());
  append(frame, std::array{static_cast<std::uint8_t>(type >> 8), static_cast<std::uint8_t>(type & 0xff)});
  return frame;
}

Frame gratuitous_arp(const MacAddress& mac, const IpAddress& address) {
  Frame frame = ethernet(kEveryone, mac, ETHERTYPE_ARP);
  // Hardware type Ethernet, protocol IPv4, lengths 6 and 4, operation 1 (request). RFC 826.
  append(frame, std::array<std::uint8_t, 8>{0, 1, 0x08, 0x00, 6, 4, 0, 1});
  append(frame, mac.bytes());
  append(frame, address.bytes());
  append(frame, std::array<std::uint8_t, 6>{});
  append(frame, address.bytes());
  return frame;
}

/// RFC 1071 over the pseudo-header of RFC 8200, section 8.1, and the message.
std::uint16_t icmp_v6_checksum(std::span<const std::uint8_t> source,
                               std::span<const std::uint8_t> destination,
                               std::span<const std::uint8_t> message) {
  Frame covered;
  append(covered, source);
  append(covered, destination);
  append(covered,
         std::array<std::uint8_t, 8>{0, 0, 0, static_cast<std::uint8_t>(message.size()), 0, 0, 0, kIcmpV6});
  append(covered, message);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < covered.size(); i += 2) {
    sum += (static_cast<std::uint32_t>(covered[i]) << 8) | covered[i + 1];
  }
  while ((sum >> 16) != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum & 0xffff);
}

Frame unsolicited_advertisement(const MacAddress& mac, const IpAddress& address) {
  Frame message = {kNeighbourAdvertisement, 0, 0, 0, kOverride, 0, 0, 0};
  append(message, address.bytes());
  append(message, std::array<std::uint8_t, 2>{2, 1});  // option: target link-layer address, 8 bytes
  append(message, mac.bytes());
  const std::uint16_t checksum = icmp_v6_checksum(address.bytes(), kAllNodes, message);
  message[2] = static_cast<std::uint8_t>(checksum >> 8);
  message[3] = static_cast<std::uint8_t>(checksum & 0xff);

  Frame frame = ethernet(kAllNodesMac, mac, ETHERTYPE_IPV6);
  // Version 6, payload length, next header, hop limit 255 (a receiver drops the message otherwise).
  append(frame, std::array<std::uint8_t, 8>{0x60, 0, 0, 0, 0, static_cast<std::uint8_t>(message.size()),
                                            kIcmpV6, 255});
  append(frame, address.bytes());
  append(frame, kAllNodes);
  append(frame, message);
  return frame;
}

}  // namespace

std::vector<std::uint8_t> announcement(const MacAddress& mac, const IpAddress& address) {
  return address.is_v4() ? gratuitous_arp(mac, address) : unsolicited_advertisement(mac, address);
}

Result<Fd> open_packet_socket() {
  Fd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));  // protocol 0: receives nothing. packet(7)
  if (!socket.valid()) return fail_errno(errno, "open packet socket");
  return socket;
}

Status announce(const Fd& packet_socket, int ifindex, const MacAddress& mac,
                std::span<const IpAddress> addresses) {
  sockaddr_ll out{};
  out.sll_family = AF_PACKET;
  out.sll_ifindex = ifindex;
  for (const IpAddress& address : addresses) {
    const std::vector<std::uint8_t> frame = announcement(mac, address);
    const ssize_t sent = ::sendto(packet_socket.get(), frame.data(), frame.size(), MSG_DONTWAIT,
                                  reinterpret_cast<const sockaddr*>(&out), sizeof out);
    if (sent < 0) return fail_errno(errno, "announce " + address.to_string());
  }
  return {};
}

}  // namespace holdfast::flannel

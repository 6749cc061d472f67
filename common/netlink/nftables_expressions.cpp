#include "common/netlink/nftables_expressions.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

namespace holdfast::nl::nft {
namespace {

constexpr std::uint32_t kRegister = NFT_REG_1;
constexpr std::size_t kTcpFlagsOffset = 13;

int code_of(Verdict::Kind kind) {
  switch (kind) {
    case Verdict::Kind::kAccept:
      return NF_ACCEPT;
    case Verdict::Kind::kDrop:
      return NF_DROP;
    case Verdict::Kind::kReturn:
      return NFT_RETURN;
    case Verdict::Kind::kJump:
      return NFT_JUMP;
    case Verdict::Kind::kGoto:
      break;
  }
  return NFT_GOTO;
}

class Expressions {
 public:
  Expressions(Writer& writer, Family family) : writer_(writer), family_(family) {}

  void operator()(const MatchAddress& match) {
    const IpAddress address = match.cidr.network().address();
    const std::span<const std::uint8_t> bytes = address.bytes();
    load_address(match.side, address.family());
    if (match.cidr.prefix() < address.bits()) {
      std::vector<std::uint8_t> mask(bytes.size());
      for (std::size_t bit = 0; bit < match.cidr.prefix(); ++bit) {
        mask[bit / 8] = static_cast<std::uint8_t>(mask[bit / 8] | 0x80U >> bit % 8);
      }
      and_with(mask);
    }
    compare(match.comparison, bytes);
  }
  void operator()(const MatchMaskedAddress& match) {
    load_address(match.side, match.value.family());
    and_with(match.mask.bytes());
    compare(match.comparison, match.value.bytes());
  }
  void operator()(const MatchEtherAddress& match) {
    const bool source = match.side == Side::kSource;
    load_payload(NFT_PAYLOAD_LL_HEADER,
                 source ? offsetof(ether_header, ether_shost) : offsetof(ether_header, ether_dhost),
                 match.mac.bytes().size());
    compare(match.comparison, match.mac.bytes());
  }
  void operator()(const MatchLinkName& match) {
    load_link(match.side);
    const std::array<std::uint8_t, IFNAMSIZ> padded = padded_link(match.name);
    const std::size_t size = std::min(match.name.size(), padded.size());
    compare(match.comparison, std::span(padded).first(match.prefix ? size : padded.size()));
  }
  void operator()(const MatchMark& match) {
    load_meta(NFT_META_MARK);
    if (match.mask != 0xffffffff) and_with(bytes_of(match.mask));
    compare(match.comparison, bytes_of(match.value));
  }
  void operator()(const MatchSet& match) {
    load_address(match.side, match.family);
    expression("lookup", [&] {
      writer_.text(NFTA_LOOKUP_SET, match.set);
      writer_.be32(NFTA_LOOKUP_SREG, kRegister);
      if (match.comparison == Comparison::kNotEqual) writer_.be32(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
    });
  }
  void operator()(const JumpByLink& jump) {
    load_link(jump.side);
    expression("lookup", [&] {
      writer_.text(NFTA_LOOKUP_SET, jump.map);
      writer_.be32(NFTA_LOOKUP_SREG, kRegister);
      writer_.be32(NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
    });
  }
  void operator()(const MatchUdpPort& match) {
    load_meta(NFT_META_L4PROTO);
    const std::uint8_t udp = IPPROTO_UDP;
    compare(Comparison::kEqual, {&udp, 1});
    const std::array<std::uint8_t, 2> port{static_cast<std::uint8_t>(match.port >> 8U),
                                           static_cast<std::uint8_t>(match.port)};
    load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(udphdr, uh_dport), port.size());
    compare(Comparison::kEqual, port);
  }
  void operator()(const MatchIcmpType& match) {
    load_meta(NFT_META_L4PROTO);
    const std::uint8_t protocol =
        family_ == Family::kIp6 ? std::uint8_t{IPPROTO_ICMPV6} : std::uint8_t{IPPROTO_ICMP};
    compare(Comparison::kEqual, {&protocol, 1});
    load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(icmphdr, type), 1);
    compare(Comparison::kEqual, {&match.type, 1});
  }
  void operator()(const MatchConnectionState& match) {
    load_connection(NFT_CT_STATE);
    and_with(bytes_of(match.any_of));
    compare(Comparison::kNotEqual, bytes_of(0));
  }
  void operator()(const MatchReplyDirection& /*unused*/) {
    load_connection(NFT_CT_DIRECTION);
    const std::uint8_t reply = IP_CT_DIR_REPLY;
    compare(Comparison::kEqual, {&reply, 1});
  }
  void operator()(const MatchTcpSyn& /*unused*/) {
    load_meta(NFT_META_L4PROTO);
    const std::uint8_t tcp = IPPROTO_TCP;
    compare(Comparison::kEqual, {&tcp, 1});
    load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, kTcpFlagsOffset, 1);
    const std::uint8_t looked_at = TH_SYN | TH_RST;
    and_with({&looked_at, 1});
    const std::uint8_t syn = TH_SYN;
    compare(Comparison::kEqual, {&syn, 1});
  }
  void operator()(const Counter& /*unused*/) {
    expression("counter", [] {});
  }
  void operator()(const Masquerade& masquerade) {
    expression("masq", [&] {
      if (masquerade.fully_random) writer_.be32(NFTA_MASQ_FLAGS, NF_NAT_RANGE_PROTO_RANDOM_FULLY);
    });
  }
  void operator()(const TranslateSource& translate) {
    expression("immediate", [&] {
      writer_.be32(NFTA_IMMEDIATE_DREG, kRegister);
      put_value(NFTA_IMMEDIATE_DATA, translate.to.bytes());
    });
    expression("nat", [&] {
      writer_.be32(NFTA_NAT_TYPE, NFT_NAT_SNAT);
      writer_.be32(NFTA_NAT_FAMILY, translate.to.is_v4() ? NFPROTO_IPV4 : NFPROTO_IPV6);
      writer_.be32(NFTA_NAT_REG_ADDR_MIN, kRegister);
    });
  }
  void operator()(const NoTrack& /*unused*/) {
    expression("notrack", [] {});
  }
  void operator()(const ClampMss& /*unused*/) {
    constexpr std::uint32_t kBytes = 2;
    expression("rt", [&] {
      writer_.be32(NFTA_RT_DREG, kRegister);
      writer_.be32(NFTA_RT_KEY, NFT_RT_TCPMSS);
    });
    expression("byteorder", [&] {
      writer_.be32(NFTA_BYTEORDER_SREG, kRegister);
      writer_.be32(NFTA_BYTEORDER_DREG, kRegister);
      writer_.be32(NFTA_BYTEORDER_OP, NFT_BYTEORDER_HTON);
      writer_.be32(NFTA_BYTEORDER_LEN, kBytes);
      writer_.be32(NFTA_BYTEORDER_SIZE, kBytes);
    });
    expression("exthdr", [&] {
      writer_.be32(NFTA_EXTHDR_SREG, kRegister);
      writer_.u8(NFTA_EXTHDR_TYPE, TCPOPT_MAXSEG);
      writer_.be32(NFTA_EXTHDR_OFFSET, kBytes);  // behind the option's kind and length
      writer_.be32(NFTA_EXTHDR_LEN, kBytes);
      writer_.be32(NFTA_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
    });
  }
  void operator()(const RejectProhibited& /*unused*/) {
    expression("reject", [&] {
      writer_.be32(NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
      writer_.u8(NFTA_REJECT_ICMP_CODE,
                 family_ == Family::kIp6 ? ICMP6_DST_UNREACH_ADMIN : ICMP_PKT_FILTERED);
    });
  }
  void operator()(const Verdict& verdict) {
    expression("immediate", [&] {
      writer_.be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
      writer_.nest(NFTA_IMMEDIATE_DATA, [&] { put_verdict(writer_, verdict); });
    });
  }

 private:
  static std::array<std::uint8_t, 4> bytes_of(std::uint32_t value) {
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &value, bytes.size());
    return bytes;
  }

  template <class F>
  void expression(std::string_view name, F data) {
    writer_.nest(NFTA_LIST_ELEM, [&] {
      writer_.text(NFTA_EXPR_NAME, name);
      writer_.nest(NFTA_EXPR_DATA, data);
    });
  }
  void load_address(Side side, IpFamily family) {
    need_protocol(family);
    const bool source = side == Side::kSource;
    const bool v4 = family == IpFamily::kV4;
    const std::size_t offset = v4 ? (source ? offsetof(iphdr, saddr) : offsetof(iphdr, daddr))
                                  : (source ? offsetof(ip6_hdr, ip6_src) : offsetof(ip6_hdr, ip6_dst));
    load_payload(NFT_PAYLOAD_NETWORK_HEADER, offset, v4 ? 4 : 16);
  }
  void load_meta(std::uint32_t key) {
    expression("meta", [&] {
      writer_.be32(NFTA_META_DREG, kRegister);
      writer_.be32(NFTA_META_KEY, key);
    });
  }
  void load_link(Side side) { load_meta(side == Side::kSource ? NFT_META_IIFNAME : NFT_META_OIFNAME); }
  void load_connection(std::uint32_t key) {
    expression("ct", [&] {
      writer_.be32(NFTA_CT_DREG, kRegister);
      writer_.be32(NFTA_CT_KEY, key);
    });
  }
  void load_payload(std::uint32_t base, std::size_t offset, std::size_t size) {
    expression("payload", [&] {
      writer_.be32(NFTA_PAYLOAD_DREG, kRegister);
      writer_.be32(NFTA_PAYLOAD_BASE, base);
      writer_.be32(NFTA_PAYLOAD_OFFSET, static_cast<std::uint32_t>(offset));
      writer_.be32(NFTA_PAYLOAD_LEN, static_cast<std::uint32_t>(size));
    });
  }
  void put_value(int type, std::span<const std::uint8_t> value) {
    writer_.nest(type, [&] { writer_.bytes(NFTA_DATA_VALUE, value.data(), value.size()); });
  }
  void and_with(std::span<const std::uint8_t> mask) {
    expression("bitwise", [&] {
      writer_.be32(NFTA_BITWISE_SREG, kRegister);
      writer_.be32(NFTA_BITWISE_DREG, kRegister);
      writer_.be32(NFTA_BITWISE_LEN, static_cast<std::uint32_t>(mask.size()));
      put_value(NFTA_BITWISE_MASK, mask);
      put_value(NFTA_BITWISE_XOR, std::vector<std::uint8_t>(mask.size()));
    });
  }
  void compare(Comparison comparison, std::span<const std::uint8_t> value) {
    expression("cmp", [&] {
      writer_.be32(NFTA_CMP_SREG, kRegister);
      writer_.be32(NFTA_CMP_OP, comparison == Comparison::kEqual ? NFT_CMP_EQ : NFT_CMP_NEQ);
      put_value(NFTA_CMP_DATA, value);
    });
  }
  /// Where a table sees several protocols, the one of the addresses is asked for, once in a rule.
  void need_protocol(IpFamily protocol) {
    if (known_protocol_ == protocol) return;
    known_protocol_ = protocol;
    if (family_ == Family::kInet) {
      load_meta(NFT_META_NFPROTO);
      const std::uint8_t number = protocol == IpFamily::kV4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
      compare(Comparison::kEqual, {&number, 1});
    }
    if (family_ == Family::kBridge) {
      load_meta(NFT_META_PROTOCOL);
      const std::uint16_t type = protocol == IpFamily::kV4 ? ETHERTYPE_IP : ETHERTYPE_IPV6;
      const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(type >> 8U),
                                              static_cast<std::uint8_t>(type)};
      compare(Comparison::kEqual, bytes);
    }
  }

  Writer& writer_;
  Family family_;
  std::optional<IpFamily> known_protocol_;
};

}  // namespace

std::array<std::uint8_t, IFNAMSIZ> padded_link(std::string_view name) {
  std::array<std::uint8_t, IFNAMSIZ> padded{};
  std::copy_n(name.begin(), std::min(name.size(), padded.size()), padded.begin());
  return padded;
}

void put_verdict(Writer& writer, const Verdict& verdict) {
  writer.nest(NFTA_DATA_VERDICT, [&] {
    writer.be32(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code_of(verdict.kind)));
    if (!verdict.chain.empty()) writer.text(NFTA_VERDICT_CHAIN, verdict.chain);
  });
}

void put_expressions(Writer& writer, Family family, std::span<const Statement> statements) {
  Expressions expressions(writer, family);
  for (const Statement& statement : statements) std::visit(expressions, statement);
}

}  // namespace holdfast::nl::nft

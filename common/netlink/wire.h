#pragma once

#include <netlink/attr.h>
#include <netlink/msg.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/base/cidr.h"
#include "common/netlink/mac_address.h"
#include "common/netlink/request.h"
#include "common/netlink/socket.h"

// libnl's message builder and parser with types and bounds. For the .cpp files of this folder, and of ports
// that speak generic netlink.
namespace holdfast::nl {

/// Builds one message: header structure first, then attributes. Numbers are in host order unless the name
/// says be.
class Writer {
 public:
  /// `capacity`: bytes of the whole message; a message that does not fit comes out as null.
  template <class Header>
  Writer(int type, int flags, const Header& header, std::size_t capacity = 512)
      : message_(nlmsg_alloc_size(capacity)) {
    static_assert(std::is_trivially_copyable_v<Header>);
    nlmsg_put(message_.get(), 0, 0, type, 0, flags);
    append(header);
  }

  /// A structure that stands bare inside the message, as ifinfomsg does in VETH_INFO_PEER.
  template <class Header>
  void append(Header header) {
    check(nlmsg_append(message_.get(), &header, sizeof header, NLMSG_ALIGNTO));
  }

  void bytes(int type, const void* data, std::size_t size) {
    check(nla_put(message_.get(), type, static_cast<int>(size), data));
  }
  void u8(int type, std::uint8_t value) { bytes(type, &value, sizeof value); }
  void u16(int type, std::uint16_t value) { bytes(type, &value, sizeof value); }
  void u32(int type, std::uint32_t value) { bytes(type, &value, sizeof value); }
  void be16(int type, std::uint16_t value) { u16(type, __builtin_bswap16(value)); }
  void be32(int type, std::uint32_t value) { u32(type, __builtin_bswap32(value)); }
  void be64(int type, std::uint64_t value) {
    const std::uint64_t swapped = __builtin_bswap64(value);
    bytes(type, &swapped, sizeof swapped);
  }
  void flag(int type) { bytes(type, nullptr, 0); }
  /// With the NUL that the kernel expects.
  void text(int type, std::string_view value) {
    if (nlattr* space = nla_reserve(message_.get(), type, static_cast<int>(value.size() + 1));
        space != nullptr) {
      auto* end = std::copy(value.begin(), value.end(), static_cast<char*>(nla_data(space)));
      *end = '\0';
    } else {
      overflow_ = true;
    }
  }
  void address(int type, const IpAddress& value) { bytes(type, value.bytes().data(), value.bytes().size()); }
  void mac(int type, const MacAddress& value) { bytes(type, value.bytes().data(), value.bytes().size()); }
  /// `body` writes what stands inside. A nest that stays empty is left out.
  template <class F>
  void nest(int type, F body) {
    nlattr* start = nla_nest_start(message_.get(), type);
    if (start == nullptr) {
      overflow_ = true;
      return;
    }
    body();
    nla_nest_end(message_.get(), start);
  }

  [[nodiscard]] MessagePtr take() && { return overflow_ ? MessagePtr{} : std::move(message_); }

 private:
  void check(int libnl_error) { overflow_ = overflow_ || libnl_error < 0; }

  MessagePtr message_;
  bool overflow_ = false;
};

/// The attributes of a message or of a nest, by type. Getters give nullopt (or false) for what is absent or
/// too short.
class Attributes {
 public:
  /// Those behind the header structure of `message`.
  Attributes(const nlmsghdr* message, std::size_t header_size) {
    // libnl's parsers take no const but change nothing
    nlmsg_parse(const_cast<nlmsghdr*>(message), static_cast<int>(header_size), by_type_.data(), kHighest,
                nullptr);
  }
  explicit Attributes(const nlattr* nest) {
    if (nest != nullptr) nla_parse_nested(by_type_.data(), kHighest, const_cast<nlattr*>(nest), nullptr);
  }

  [[nodiscard]] const nlattr* find(int type) const { return by_type_.at(static_cast<std::size_t>(type)); }
  [[nodiscard]] bool has(int type) const { return find(type) != nullptr; }
  [[nodiscard]] std::optional<std::uint8_t> u8(int type) const { return number<std::uint8_t>(type); }
  [[nodiscard]] std::optional<std::uint16_t> u16(int type) const { return number<std::uint16_t>(type); }
  [[nodiscard]] std::optional<std::uint32_t> u32(int type) const { return number<std::uint32_t>(type); }
  [[nodiscard]] std::optional<std::uint64_t> u64(int type) const { return number<std::uint64_t>(type); }
  /// For indices and the like, which the kernel keeps as int: 0 when absent.
  [[nodiscard]] int index(int type) const { return number<int>(type).value_or(0); }
  /// Up to the first NUL; empty when absent.
  [[nodiscard]] std::string_view text(int type) const {
    const std::span<const std::uint8_t> all = bytes(type);
    const auto* first = reinterpret_cast<const char*>(all.data());
    return all.empty() ? std::string_view{} : std::string_view{first, strnlen(first, all.size())};
  }
  [[nodiscard]] std::span<const std::uint8_t> bytes(int type) const {
    const nlattr* found = find(type);
    if (found == nullptr) return {};
    return {static_cast<const std::uint8_t*>(nla_data(found)), static_cast<std::size_t>(nla_len(found))};
  }
  /// The family follows from the length.
  [[nodiscard]] std::optional<IpAddress> address(int type) const {
    const std::span<const std::uint8_t> all = bytes(type);
    if (const auto v4 = copy<4>(all)) return IpAddress::v4(*v4);
    if (const auto v6 = copy<16>(all)) return IpAddress::v6(*v6);
    return std::nullopt;
  }
  [[nodiscard]] std::optional<MacAddress> mac(int type) const {
    const auto six = copy<6>(bytes(type));
    return six ? std::optional(MacAddress(*six)) : std::nullopt;
  }

 private:
  // above the highest attribute of any table we read; what a newer kernel adds beyond is skipped
  static constexpr int kHighest = 79;

  template <class T>
  [[nodiscard]] std::optional<T> number(int type) const {
    const std::span<const std::uint8_t> all = bytes(type);
    if (all.size() < sizeof(T)) return std::nullopt;
    T value{};
    std::memcpy(&value, all.data(), sizeof value);
    return value;
  }
  template <std::size_t N>
  static std::optional<std::array<std::uint8_t, N>> copy(std::span<const std::uint8_t> all) {
    if (all.size() != N) return std::nullopt;
    std::array<std::uint8_t, N> out{};
    std::copy(all.begin(), all.end(), out.begin());
    return out;
  }

  std::array<nlattr*, kHighest + 1> by_type_{};
};

/// Calls `each` for every attribute inside `nest`, for lists whose elements share a type.
template <class F>
void for_each_attribute(const nlattr* nest, F each) {
  if (nest == nullptr) return;
  int left = nla_len(nest);
  for (const auto* at = static_cast<const nlattr*>(nla_data(nest)); nla_ok(at, left) != 0;
       at = nla_next(at, &left)) {
    each(at);
  }
}

/// AF_INET or AF_INET6.
[[nodiscard]] int address_family(IpFamily family);
/// AF_UNSPEC for none.
[[nodiscard]] int address_family(std::optional<IpFamily> family);
/// 0.0.0.0 or ::
[[nodiscard]] IpAddress unspecified_address(IpFamily family);
/// nullopt for a prefix longer than the address.
[[nodiscard]] std::optional<Cidr> to_cidr(const IpAddress& address, unsigned prefix);

/// The header structure of a message that has passed nlmsg_ok.
/// nullptr when the message is too short for it.
template <class Header>
const Header* header_of(const nlmsghdr* message) {
  if (nlmsg_valid_hdr(message, sizeof(Header)) == 0) return nullptr;
  return static_cast<const Header*>(nlmsg_data(message));
}

/// What `parse` (const nlmsghdr* -> optional<T>) makes of a dump's messages, in their order.
template <class T, class F>
Result<std::vector<T>> collect(Socket& socket, Request request, F parse) {
  std::vector<T> out;
  const auto keep = [&](const nlmsghdr* message) {
    if (std::optional<T> item = parse(message)) out.push_back(*std::move(item));
  };
  HOLDFAST_CHECK(socket.dump(
      std::move(request), [&] { out.clear(); }, keep));
  return out;
}

}  // namespace holdfast::nl

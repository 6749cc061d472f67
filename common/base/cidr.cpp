#include "common/base/cidr.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace holdfast {
namespace {

using Bytes = std::array<std::uint8_t, 16>;

IpAddress address_of(IpFamily family, const Bytes& bytes) {
  if (family == IpFamily::kV6) {
    return IpAddress::v6(bytes);
  }
  return IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
}

Bytes bytes_of(const IpAddress& address) {
  Bytes out{};
  std::ranges::copy(address.bytes(), out.begin());
  return out;
}

// The bits of byte `index` that the first `prefix` bits of an address cover.
std::uint8_t mask_byte(std::size_t index, unsigned prefix) {
  const std::size_t covered = std::clamp<std::size_t>(prefix, 8 * index, 8 * index + 8) - 8 * index;
  return static_cast<std::uint8_t>(0xff00U >> covered);
}

std::string quoted(std::string_view text, std::string_view what) {
  std::string message = "'";
  message += text;
  message += "' is not ";
  message += what;
  return message;
}

// Decimal, no sign, no leading zero; nullopt for anything else.
std::optional<unsigned> parse_prefix(std::string_view text) {
  unsigned value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || (text.size() > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

IpAddress IpAddress::v4(std::array<std::uint8_t, 4> bytes) {
  IpAddress out;
  std::ranges::copy(bytes, out.bytes_.begin());
  return out;
}

IpAddress IpAddress::v6(std::array<std::uint8_t, 16> bytes) {
  IpAddress out;
  out.family_ = IpFamily::kV6;
  out.bytes_ = bytes;
  return out;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  Bytes bytes{};
  // A NUL inside would end the text early for inet_pton(3).
  if (text.size() < terminated.size() && text.find('\0') == std::string_view::npos) {
    std::ranges::copy(text, terminated.begin());
    if (::inet_pton(AF_INET, terminated.data(), bytes.data()) == 1) {
      return address_of(IpFamily::kV4, bytes);
    }
    if (::inet_pton(AF_INET6, terminated.data(), bytes.data()) == 1) {
      return address_of(IpFamily::kV6, bytes);
    }
  }
  return fail(Code::kInvalidArgument, quoted(text, "an IP address"));
}

std::span<const std::uint8_t> IpAddress::bytes() const { return std::span(bytes_).first(is_v4() ? 4 : 16); }

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text.data(), text.size());
  return text.data();
}

std::optional<IpAddress> IpAddress::plus(std::uint64_t n) const {
  Bytes sum = bytes_;
  std::uint64_t carry = n;
  for (std::size_t i = bytes().size(); i-- > 0 && carry != 0;) {
    const std::uint64_t low = (carry & 0xff) + sum[i];
    sum[i] = static_cast<std::uint8_t>(low & 0xff);
    carry = (carry >> 8) + (low >> 8);
  }
  if (carry != 0) {
    return std::nullopt;
  }
  return address_of(family_, sum);
}

std::optional<std::uint64_t> IpAddress::distance_from(const IpAddress& base) const {
  if (family_ != base.family_ || *this < base) {
    return std::nullopt;
  }
  Bytes difference{};
  int borrow = 0;
  for (std::size_t i = bytes().size(); i-- > 0;) {
    const int byte = bytes_[i] - base.bytes_[i] - borrow;
    difference[i] = static_cast<std::uint8_t>(byte & 0xff);
    borrow = byte < 0 ? 1 : 0;
  }
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < bytes().size(); ++i) {
    if ((out >> 56) != 0) {
      return std::nullopt;
    }
    out = (out << 8) | difference[i];
  }
  return out;
}

Result<Cidr> Cidr::make(IpAddress address, unsigned prefix) {
  if (prefix > address.bits()) {
    return fail(Code::kInvalidArgument, quoted(address.to_string() + "/" + std::to_string(prefix), "a CIDR"));
  }
  Cidr out;
  out.address_ = address;
  out.prefix_ = static_cast<std::uint8_t>(prefix);
  return out;
}

Result<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto address = IpAddress::parse(text.substr(0, slash));
    const auto prefix = parse_prefix(text.substr(slash + 1));
    if (address && prefix && *prefix <= address->bits()) {
      return make(*address, *prefix);
    }
  }
  return fail(Code::kInvalidArgument, quoted(text, "a CIDR"));
}

Cidr Cidr::network() const {
  Cidr out = *this;
  out.address_ = first();
  return out;
}

IpAddress Cidr::first() const {
  Bytes bytes = bytes_of(address_);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(bytes[i] & mask_byte(i, prefix_));
  }
  return address_of(family(), bytes);
}

IpAddress Cidr::last() const {
  Bytes bytes = bytes_of(address_);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(bytes[i] | static_cast<std::uint8_t>(~mask_byte(i, prefix_)));
  }
  return address_of(family(), bytes);
}

bool Cidr::contains(const IpAddress& address) const {
  return address.family() == family() && first() <= address && address <= last();
}

bool Cidr::contains(const Cidr& other) const { return prefix_ <= other.prefix_ && contains(other.address_); }

bool Cidr::overlaps(const Cidr& other) const { return contains(other) || other.contains(*this); }

std::string Cidr::to_string() const { return address_.to_string() + "/" + std::to_string(prefix_); }

}  // namespace holdfast

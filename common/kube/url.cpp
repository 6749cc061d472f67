#include "common/kube/url.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/base/cidr.h"

namespace holdfast::kube {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;
constexpr std::string_view kIpv4Loopback = "127.0.0.0/8";
constexpr std::string_view kIpv6Loopback = "::1/128";

tl::unexpected<Error> refuse(std::string_view text, std::string_view why) {
  std::string message = "'";
  message += text;
  message += "' ";
  message += why;
  return fail(Code::kInvalidArgument, std::move(message));
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool may_be_in_host(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

// Nothing that could end a request line, and nothing that needs escaping first.
bool may_be_in_path(char c) { return c > ' ' && c < '\x7f' && c != '?' && c != '#' && c != '\\'; }

struct Authority {
  std::string host;
  std::string_view port;  // without its colon; empty: none
  bool is_ipv6 = false;
};

// The host is empty when the text is malformed.
Authority split_authority(std::string_view text) {
  Authority out;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos || (end + 1 < text.size() && text[end + 1] != ':')) {
      return out;
    }
    out.host = text.substr(1, end - 1);
    out.is_ipv6 = true;
    out.port = end + 1 < text.size() ? text.substr(end + 2) : "";
  } else {
    const std::size_t colon = text.find(':');
    out.host = text.substr(0, colon);
    out.port = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  }
  std::ranges::transform(out.host, out.host.begin(), lower);
  return out;
}

bool in_range(const IpAddress& address, std::string_view range) {
  const auto cidr = Cidr::parse(range);
  return cidr && cidr->contains(address);
}

}  // namespace

std::string Url::to_string() const {
  const bool bracketed = host.find(':') != std::string::npos;
  std::string out = scheme + "://";
  out += bracketed ? "[" + host + "]" : host;
  out += ":" + std::to_string(port);
  out += path;
  return out;
}

bool Url::is_loopback() const {
  const auto address = IpAddress::parse(host);
  return host == "localhost" ||
         (address && (in_range(*address, kIpv4Loopback) || in_range(*address, kIpv6Loopback)));
}

Result<Url> parse_url(std::string_view text) {
  if (text.find('@') != std::string_view::npos) {  // not shown: it would hold a password
    return fail(Code::kInvalidArgument, "the address of a server holds an '@'; credentials go elsewhere");
  }
  Url url;
  const std::size_t scheme_end = text.find("://");
  url.scheme = text.substr(0, std::min(scheme_end, text.size()));
  if (scheme_end == std::string_view::npos || (url.scheme != "http" && url.scheme != "https")) {
    return refuse(text, "does not begin with http:// or https://");
  }
  const std::string_view rest = text.substr(scheme_end + 3);
  const std::size_t path_begin = std::min(rest.find('/'), rest.size());
  const Authority authority = split_authority(rest.substr(0, path_begin));
  const auto address = IpAddress::parse(authority.host);
  const bool host_is_good =
      authority.is_ipv6 ? address && !address->is_v4() : std::ranges::all_of(authority.host, may_be_in_host);
  if (authority.host.empty() || !host_is_good) {
    return refuse(text, "has no valid host name or address");
  }
  url.host = authority.host;
  url.port = url.scheme == "https" ? kHttpsPort : kHttpPort;
  if (!authority.port.empty()) {
    const auto [end, error] =
        std::from_chars(authority.port.data(), authority.port.data() + authority.port.size(), url.port);
    if (error != std::errc() || end != authority.port.data() + authority.port.size() || url.port == 0) {
      return refuse(text, "has a port that is not 1..65535");
    }
  }
  std::string_view path = rest.substr(path_begin);
  while (path.ends_with('/')) {
    path.remove_suffix(1);
  }
  if (!std::ranges::all_of(path, may_be_in_path)) {
    return refuse(text, "has a path with a query, a blank or a character that needs escaping");
  }
  url.path = path;
  return url;
}

}  // namespace holdfast::kube

#include "common/kube/proxy.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "common/base/cidr.h"

namespace holdfast::kube {
namespace {

std::string variable(const Environment& environment, std::string name) {
  if (auto value = environment(name); value && !value->empty()) {
    return *std::move(value);
  }
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return environment(name).value_or("");
}

// "name:port" and "[v6]:port" without the port, if it is `port`; an entry for another port becomes empty.
std::string_view without_port(std::string_view entry, std::uint16_t port) {
  const std::size_t colon = entry.rfind(':');
  const bool bracketed = entry.starts_with('[');
  const bool has_port =
      colon != std::string_view::npos && (bracketed ? entry[colon - 1] == ']' : entry.find(':') == colon);
  if (has_port) {
    if (entry.substr(colon + 1) != std::to_string(port)) {
      return {};
    }
    entry = entry.substr(0, colon);
  }
  return bracketed && entry.ends_with(']') ? entry.substr(1, entry.size() - 2) : entry;
}

bool entry_covers(std::string_view entry, const Url& url) {
  if (entry == "*") {
    return true;
  }
  const auto address = IpAddress::parse(url.host);
  if (const auto range = Cidr::parse(entry)) {
    return address && range->network().contains(*address);
  }
  std::string name(without_port(entry, url.port));
  if (const auto other = IpAddress::parse(name)) {
    return address && *address == *other;
  }
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (name.empty() || address) {
    return false;
  }
  const std::string_view below = name.starts_with("*.") ? std::string_view(name).substr(1) : name;
  return below.starts_with('.') ? url.host.ends_with(below)
                                : url.host == below || url.host.ends_with("." + name);
}

bool excepted(std::string_view list, const Url& url) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view entry = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    entry.remove_prefix(std::min(entry.find_first_not_of(' '), entry.size()));
    entry = entry.substr(0, entry.find_last_not_of(' ') + 1);
    if (!entry.empty() && entry_covers(entry, url)) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string proxy_for(const Url& url, const Environment& environment) {
  std::string proxy = variable(environment, url.scheme == "https" ? "HTTPS_PROXY" : "HTTP_PROXY");
  if (proxy.empty() || url.is_loopback() || excepted(variable(environment, "NO_PROXY"), url)) {
    return "";
  }
  return proxy;
}

}  // namespace holdfast::kube

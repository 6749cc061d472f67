#include "egw-gateway/core/kernel_settings.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "common/base/first_error.h"
#include "common/netlink/ipv6_forwarding.h"
#include "common/netlink/sysctl.h"

namespace holdfast::gateway {
namespace {

constexpr std::string_view kForward4 = "net/ipv4/ip_forward";
constexpr std::string_view kSourceFilter = "net/ipv4/conf/all/rp_filter";
constexpr std::string_view kForward6 = nl::kIpv6Forwarding;
constexpr std::string_view kMostConnections = "net/netfilter/nf_conntrack_max";
constexpr std::uint64_t kStrict = 1;

Error refused(std::string_view key, std::string_view found, std::string_view why, std::string_view cure) {
  std::string message(key);
  message.append(" is ").append(found).append(": ").append(why);
  message.append("; let the init container set it, or run: sysctl -w ").append(cure);
  return {Code::kFailedPrecondition, 0, std::move(message)};
}

std::string assignment(std::string_view key, std::string_view value) {
  return std::string(key) + "=" + std::string(value);
}

Result<std::uint64_t> number(const ReadSetting& read, std::string_view key) {
  HOLDFAST_TRY(const std::string text, read(key));
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size())
    return fail(Code::kInternal, std::string(key) + " is no number: '" + text + "'");
  return out;
}

Status check_forwarding_of(const ReadSetting& read, const KernelSetting& setting) {
  HOLDFAST_TRY(const std::uint64_t value, number(read, setting.key));
  if (value != 0) return {};
  return tl::unexpected(refused(setting.key, "0", setting.why, assignment(setting.key, setting.value)));
}

Status check_source_filter(const ReadSetting& read, const std::string& link, const std::string& why) {
  const std::string key = "net/ipv4/conf/" + link + "/rp_filter";
  HOLDFAST_TRY(const std::uint64_t all, number(read, kSourceFilter));
  HOLDFAST_TRY(const std::uint64_t own, number(read, key));
  if (std::max(all, own) != kStrict) return {};
  const std::string& strict = own == kStrict ? key : std::string(kSourceFilter);
  return tl::unexpected(refused(strict, "1", why, assignment(kSourceFilter, "2")));
}

Status check_connections(const ReadSetting& read) {
  const Result<std::uint64_t> most = number(read, kMostConnections);
  if (!most && most.error().code == Code::kNotFound) {
    return fail(Code::kFailedPrecondition,
                std::string(kMostConnections) +
                    " is not there: edge nodes' connections are translated, which takes connection tracking; "
                    "load the kernel module nf_conntrack on the node");
  }
  if (!most) return tl::unexpected(most.error());
  if (*most == 0 || *most >= kLeastConnections) return {};
  return tl::unexpected(refused(kMostConnections, std::to_string(*most),
                                "that is too few connections of edge nodes at a time",
                                assignment(kMostConnections, std::to_string(kLeastConnections))));
}

Status forward_ipv6() {
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
  return nl::forward_ipv6(socket);
}

}  // namespace

std::vector<KernelSetting> kernel_settings(bool has_ipv6) {
  std::vector<KernelSetting> out = {
      {std::string(kForward4), "1", "the gateway would forward nothing"},
      {std::string(kSourceFilter), "2", "packets whose answers go by the other gateway would be dropped"}};
  if (has_ipv6) out.push_back({std::string(kForward6), "1", "the gateway would forward no IPv6"});
  return out;
}

Status check_kernel(const ReadSetting& read, const std::vector<std::string>& links) {
  const Result<std::string> ipv6 = read(kForward6);
  if (!ipv6 && ipv6.error().code != Code::kNotFound) return tl::unexpected(ipv6.error());
  for (const KernelSetting& setting : kernel_settings(ipv6.has_value())) {
    if (setting.key != kSourceFilter) {
      HOLDFAST_CHECK(check_forwarding_of(read, setting));
      continue;
    }
    for (const std::string& link : links) HOLDFAST_CHECK(check_source_filter(read, link, setting.why));
  }
  return check_connections(read);
}

Status check_kernel(const std::vector<std::string>& links) { return check_kernel(nl::get_sysctl, links); }

Status check_forwarding(IpFamily family) {
  const std::string_view key = family == IpFamily::kV4 ? kForward4 : kForward6;
  for (const KernelSetting& setting : kernel_settings(/*has_ipv6=*/true)) {
    if (setting.key == key) HOLDFAST_CHECK(check_forwarding_of(nl::get_sysctl, setting));
  }
  return {};
}

Status prepare_kernel() {
  FirstError errors;
  for (const KernelSetting& setting : kernel_settings(nl::get_sysctl(kForward6).has_value())) {
    errors.add(setting.key == kForward6 ? forward_ipv6() : nl::set_sysctl(setting.key, setting.value));
  }
  return errors.result();
}

Result<std::string> put_kernel_right(const std::vector<std::string>& links) {
  const Status before = check_kernel(links);
  static_cast<void>(prepare_kernel());  // where it may not, what counts is whether it is right all the same
  HOLDFAST_CHECK(check_kernel(links));
  return before ? std::string() : before.error().message;
}

}  // namespace holdfast::gateway

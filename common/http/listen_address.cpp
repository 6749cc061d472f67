#include "common/http/listen_address.h"

#include <charconv>
#include <string>

namespace holdfast::http {
namespace {

tl::unexpected<Error> refused(std::string_view text) {
  return fail(Code::kInvalidArgument,
              "'" + std::string(text) + "' is not ADDRESS:PORT, as 127.0.0.1:9808, [::1]:9808 or :9808");
}

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refused(text);
  ListenAddress out{IpAddress::v6({}), 0};
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, failed] = std::from_chars(digits.begin(), digits.end(), out.port);
  if (failed != std::errc() || end != digits.end()) return refused(text);
  std::string_view address = text.substr(0, colon);
  if (address.empty()) return out;
  const bool bracketed = address.size() > 2 && address.starts_with('[') && address.ends_with(']');
  if (bracketed) address = address.substr(1, address.size() - 2);
  const Result<IpAddress> parsed = IpAddress::parse(address);
  if (!parsed || parsed->is_v4() == bracketed) return refused(text);
  out.address = *parsed;
  return out;
}

void add_healthz_flag(Flags& flags, ListenAddress& target) {
  flags.value("healthz", "ADDRESS:PORT",
              "where /healthz, /readyz and /metrics are served; port 0: nowhere [:0]",
              [&target](const std::string& value) -> Status {
                HOLDFAST_TRY(target, parse_listen_address(value));
                return {};
              });
}

}  // namespace holdfast::http

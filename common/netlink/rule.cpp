#include "common/netlink/rule.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>

#include "common/netlink/parse.h"
#include "common/netlink/wire.h"

namespace holdfast::nl {
namespace {

Request rule_request(int type, int flags, std::string_view verb, const Rule& rule) {
  fib_rule_hdr header{};
  header.family = static_cast<std::uint8_t>(address_family(rule.family));
  header.action = static_cast<std::uint8_t>(rule.action);
  if (rule.src) header.src_len = rule.src->prefix();
  if (rule.dst) header.dst_len = rule.dst->prefix();
  if (rule.inverted) header.flags |= FIB_RULE_INVERT;
  Writer writer(type, flags, header);
  writer.u32(FRA_PRIORITY, rule.priority);
  if (rule.src) writer.address(FRA_SRC, rule.src->network().address());
  if (rule.dst) writer.address(FRA_DST, rule.dst->network().address());
  if (rule.mark_mask != 0) {
    writer.u32(FRA_FWMARK, rule.mark);
    writer.u32(FRA_FWMASK, rule.mark_mask);
  }
  if (!rule.iif.empty()) writer.text(FRA_IIFNAME, rule.iif);
  if (!rule.oif.empty()) writer.text(FRA_OIFNAME, rule.oif);
  if (rule.action == RuleAction::kToTable) writer.u32(FRA_TABLE, rule.table);
  if (rule.protocol != 0) writer.u8(FRA_PROTOCOL, rule.protocol);
  return {std::string(verb) + " rule " + std::to_string(rule.priority), std::move(writer).take()};
}

}  // namespace

std::optional<Rule> parse_rule(const nlmsghdr* message) {
  const auto* header = header_of<fib_rule_hdr>(message);
  if (header == nullptr || (header->family != AF_INET && header->family != AF_INET6)) return std::nullopt;
  const Attributes attributes(message, sizeof *header);
  Rule rule;
  rule.family = header->family == AF_INET ? IpFamily::kV4 : IpFamily::kV6;
  rule.priority = attributes.u32(FRA_PRIORITY).value_or(0);
  if (const auto src = attributes.address(FRA_SRC)) rule.src = to_cidr(*src, header->src_len);
  if (const auto dst = attributes.address(FRA_DST)) rule.dst = to_cidr(*dst, header->dst_len);
  rule.mark = attributes.u32(FRA_FWMARK).value_or(0);
  rule.mark_mask = attributes.u32(FRA_FWMASK).value_or(0);
  rule.iif = attributes.text(FRA_IIFNAME);
  rule.oif = attributes.text(FRA_OIFNAME);
  rule.action = static_cast<RuleAction>(header->action);
  rule.table = attributes.u32(FRA_TABLE).value_or(header->table);
  rule.inverted = (header->flags & FIB_RULE_INVERT) != 0;
  rule.protocol = attributes.u8(FRA_PROTOCOL).value_or(0);
  return rule;
}

Result<std::vector<Rule>> list_rules(Socket& socket, IpFamily family) {
  fib_rule_hdr header{};
  header.family = static_cast<std::uint8_t>(address_family(family));
  Writer writer(RTM_GETRULE, 0, header);
  // A kernel without the family has no rules of it.
  return collect<Rule>(socket, Request("list rules", std::move(writer).take()).tolerating(EAFNOSUPPORT),
                       [](const nlmsghdr* message) { return parse_rule(message); });
}

Request put_rule(const Rule& rule) {
  return rule_request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, "put", rule).tolerating(EEXIST);
}

Request drop_rule(const Rule& rule) { return rule_request(RTM_DELRULE, 0, "drop", rule).tolerating(ENOENT); }

}  // namespace holdfast::nl

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/request.h"
#include "common/netlink/route.h"
#include "common/netlink/socket.h"

namespace holdfast::nl {

/// Source: linux/fib_rules.h, FR_ACT_*.
enum class RuleAction : std::uint8_t { kToTable = 1, kBlackhole = 6, kUnreachable = 7, kProhibit = 8 };

/// A policy-routing rule; what is unset matches everything.
struct Rule {
  IpFamily family = IpFamily::kV4;
  std::uint32_t priority = 0;  ///< 0 is the rule for the local table
  std::optional<Cidr> src = std::nullopt;
  std::optional<Cidr> dst = std::nullopt;
  std::uint32_t mark = 0;
  std::uint32_t mark_mask = 0;  ///< 0: the mark is not looked at
  std::string iif = {};
  std::string oif = {};
  RuleAction action = RuleAction::kToTable;
  std::uint32_t table = kMainTable;  ///< for kToTable
  bool inverted = false;             ///< applies to what does not match
  std::uint8_t protocol = 0;         ///< who made it, RTPROT_*

  bool operator==(const Rule&) const = default;
};
Result<std::vector<Rule>> list_rules(Socket& socket, IpFamily family);
/// Putting one that is there (all fields equal) succeeds.
Request put_rule(const Rule& rule);
/// Dropping one that is not there succeeds. All fields must agree.
Request drop_rule(const Rule& rule);

}  // namespace holdfast::nl

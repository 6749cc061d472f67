#include "common/firewall/udp_drops.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "common/base/text.h"

namespace holdfast::firewall {
namespace {

/// What one rule says of the port.
struct RuleWords {
  std::string_view target;
  bool udp = false;
  bool names_port = false;
  bool asks_more = false;
};

/// Words of the rule; one in quotes may hold blanks.
std::vector<std::string_view> words_of(std::string_view rule) {
  std::vector<std::string_view> out;
  while (!rule.empty()) {
    const bool in_quotes = rule.front() == '"';
    if (in_quotes) rule.remove_prefix(1);
    const std::string_view word = take_until(rule, in_quotes ? '"' : ' ');
    if (!word.empty()) out.push_back(word);
  }
  return out;
}

/// "8472", "8000:9000" or several with commas between.
bool includes(std::string_view ports, std::uint16_t port) {
  const auto number = [](std::string_view text, int absent) {
    int out = 0;
    for (const char c : text) out = c >= '0' && c <= '9' && out < 100'000 ? out * 10 + (c - '0') : 100'000;
    return text.empty() ? absent : out;
  };
  while (!ports.empty()) {
    std::string_view part = take_until(ports, ',');
    const bool is_range = part.find(':') != std::string_view::npos;
    const int first = number(take_until(part, ':'), 0);
    const int last = is_range ? number(part, 65535) : first;
    if (first <= port && port <= last) return true;
  }
  return false;
}

RuleWords read_rule(std::string_view rule, std::uint16_t port) {
  RuleWords out;
  const std::vector<std::string_view> words = words_of(rule);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const std::string_view value = i + 1 < words.size() ? words[i + 1] : std::string_view();
    if (word == "-j" || word == "-g") {
      out.target = value;
      break;  // what follows is the target's
    }
    if (word == "!") {
      out.asks_more = true;
      continue;
    }
    if (word == "-p") {
      out.udp = value == "udp";
    } else if (word == "--dport" || word == "--dports") {
      out.names_port = includes(value, port);
    } else if (word != "-m" && word != "--comment") {
      out.asks_more = true;
    }
    // some ask without a value
    if (word == "--comment" || !value.starts_with('-')) ++i;
  }
  return out;
}

class Walk {
 public:
  Walk(const SavedTable& filter, std::uint16_t port) : filter_(filter), port_(port) {}

  UdpDrops run() {
    visit("INPUT");
    const auto policy = filter_.policies.find("INPUT");
    out_.by_default = policy != filter_.policies.end() && policy->second == "DROP" && !port_named_;
    return std::move(out_);
  }

 private:
  void visit(std::string_view chain) {
    const auto rules = filter_.rules.find(chain);
    if (rules == filter_.rules.end() || !seen_.insert(chain).second) return;
    for (const std::string& rule : rules->second) look_at(chain, rule);
  }

  void look_at(std::string_view chain, const std::string& rule) {
    const RuleWords words = read_rule(rule, port_);
    if (words.udp && words.names_port) {
      port_named_ = true;
      if (words.target == "DROP" || words.target == "REJECT") {
        (words.asks_more ? out_.sometimes : out_.always).push_back(std::string(chain) + " " + rule);
      }
    }
    // the name in the map lives as long as the walk
    if (const auto next = filter_.policies.find(words.target); next != filter_.policies.end())
      visit(next->first);
  }

  const SavedTable& filter_;
  std::uint16_t port_;
  std::set<std::string_view> seen_;
  bool port_named_ = false;
  UdpDrops out_;
};

}  // namespace

UdpDrops udp_drops(const SavedTable& filter, std::uint16_t port) { return Walk(filter, port).run(); }

}  // namespace holdfast::firewall

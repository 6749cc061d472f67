#include "egw-gateway/access/sim/vpc_service.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "common/base/cidr.h"

namespace holdfast::gateway {

using cloud::sim::Failure;
using cloud::sim::SimAnswer;
using cloud::sim::SimCall;
using nlohmann::json;

namespace {

constexpr int kBadRequest = 400;
constexpr int kNotFound = 404;
constexpr std::size_t kPageSize = 50;

tl::unexpected<Failure> refuse(int status, std::string code, std::string message) {
  return tl::unexpected(Failure{status, std::move(code), std::move(message)});
}

std::size_t number(const std::string& text, std::size_t otherwise) {
  std::size_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

// One call on the catalogue.
class VpcService::Turn {
 public:
  Turn(const VpcService& service, const SimCall& call, json& state)
      : now_(service.clock_.now().time_since_epoch().count()),
        settling_(service.settling_.count()),
        call_(call),
        state_(state) {}

  SimAnswer describe_entries();
  SimAnswer create_entry();
  SimAnswer modify_entry();
  SimAnswer delete_entry();
  SimAnswer describe_published();
  SimAnswer publish();
  SimAnswer withdraw();

 private:
  [[nodiscard]] std::string text(const char* name) const { return call_.parameters.value(name, ""); }
  [[nodiscard]] json& table(const char* parameter) { return state_["tables"][text(parameter)]; }
  [[nodiscard]] json& published() { return state_["published"][text("CenId")]; }
  [[nodiscard]] bool is_pending(const json& entry) const {
    return now_ - entry["changed"].get<std::int64_t>() < settling_;
  }
  [[nodiscard]] bool is_busy(const json& entries) const {
    return std::ranges::any_of(entries, [this](const json& entry) { return is_pending(entry); });
  }
  [[nodiscard]] static tl::unexpected<Failure> busy() {
    return refuse(kBadRequest, "TaskConflict",
                  "The operation is too frequent, or another one is in progress.");
  }
  [[nodiscard]] static tl::unexpected<Failure> no_entry() {
    return refuse(kNotFound, "InvalidRouteEntry.NotFound", "The specified route entry does not exist.");
  }

  std::int64_t now_;
  std::int64_t settling_;
  const SimCall& call_;
  json& state_;
};

SimAnswer VpcService::Turn::describe_entries() {
  const std::string version = text("IpVersion");
  json all = json::array();
  for (const auto& [range, entry] : table("RouteTableId").items()) {
    const bool v6 = range.find(':') != std::string::npos;
    if (!version.empty() && v6 != (version == "IPv6")) continue;
    all.push_back(
        {{"DestinationCidrBlock", range},
         {"RouteEntryName", entry["name"]},
         {"RouteTableId", text("RouteTableId")},
         {"Type", entry["type"]},
         {"Status", is_pending(entry) ? "Pending" : "Available"},
         {"NextHops", {{"NextHop", {{{"NextHopId", entry["hop"]}, {"NextHopType", entry["hopType"]}}}}}}});
  }
  const std::size_t first = number(text("NextToken"), 0);
  const std::size_t last = std::min(all.size(), first + number(text("MaxResult"), kPageSize));
  json some = json::array();
  for (std::size_t i = first; i < last; ++i) some.push_back(all[i]);
  return json{{"RouteEntrys", {{"RouteEntry", some}}},
              {"NextToken", last < all.size() ? std::to_string(last) : ""}};
}

SimAnswer VpcService::Turn::create_entry() {
  json& entries = table("RouteTableId");
  const std::string range = text("DestinationCidrBlock");
  const Result<Cidr> parsed = Cidr::parse(range);
  if (!parsed || parsed->network() != *parsed) {
    return refuse(kBadRequest, "InvalidDestinationCidrBlock.Malformed", "The range is not valid.");
  }
  if (text("NextHopId").empty() || text("NextHopType").empty()) {
    return refuse(kBadRequest, "MissingParameter", "NextHopId and NextHopType are required.");
  }
  if (is_busy(entries)) return busy();
  if (entries.contains(range)) {
    return refuse(kBadRequest, "RouterEntryConflict.Duplicated", "A route entry already exists.");
  }
  const auto custom =
      std::ranges::count_if(entries, [](const json& entry) { return entry["type"] == "Custom"; });
  if (static_cast<std::size_t>(custom) >= state_.value("most", kMostEntries)) {
    return refuse(kBadRequest, "QuotaExceeded", "Route entry quota exceeded in this route table");
  }
  entries[range] = {{"hop", text("NextHopId")},
                    {"hopType", text("NextHopType")},
                    {"name", text("RouteEntryName")},
                    {"type", "Custom"},
                    {"changed", now_}};
  return json{{"RouteEntryId", "rte-" + range}};
}

SimAnswer VpcService::Turn::modify_entry() {
  json& entries = table("RouteTableId");
  const auto found = entries.find(text("DestinationCidrBlock"));
  if (found == entries.end()) return no_entry();
  if (is_busy(entries)) return busy();
  (*found)["hop"] = text("NewNextHopId");
  (*found)["hopType"] = text("NewNextHopType");
  (*found)["changed"] = now_;
  return json::object();
}

SimAnswer VpcService::Turn::delete_entry() {
  json& entries = table("RouteTableId");
  const std::string range = text("DestinationCidrBlock");
  const auto found = entries.find(range);
  if (found == entries.end() || (*found)["type"] != "Custom") return no_entry();
  if (!text("NextHopId").empty() && (*found)["hop"] != text("NextHopId")) return no_entry();
  if (is_busy(entries)) return busy();
  entries.erase(found);
  for (json& ranges : state_["published"]) ranges.erase(range);
  return json::object();
}

SimAnswer VpcService::Turn::describe_published() {
  json all = json::array();
  for (const auto& [range, entry] : table("ChildInstanceRouteTableId").items()) {
    const bool known = published().contains(range);
    all.push_back({{"DestinationCidrBlock", range}, {"PublishStatus", known ? "Published" : "NonPublished"}});
  }
  const std::size_t size = number(text("PageSize"), 10);
  const std::size_t page = std::max<std::size_t>(number(text("PageNumber"), 1), 1);
  json some = json::array();
  for (std::size_t i = (page - 1) * size; i < std::min(all.size(), page * size); ++i) some.push_back(all[i]);
  return json{{"PublishedRouteEntries", {{"PublishedRouteEntry", some}}}, {"TotalCount", all.size()}};
}

SimAnswer VpcService::Turn::publish() {
  const json& entries = table("ChildInstanceRouteTableId");
  const auto found = entries.find(text("DestinationCidrBlock"));
  if (found == entries.end()) {
    return refuse(kBadRequest, "InvalidOperation.NotFoundRoute", "The route is not there.");
  }
  if (is_pending(*found)) {
    return refuse(kBadRequest, "InvalidOperation.CenInstanceStatus", "The CEN is not in a valid state.");
  }
  published()[text("DestinationCidrBlock")] = true;
  return json::object();
}

SimAnswer VpcService::Turn::withdraw() {
  if (published().erase(text("DestinationCidrBlock")) == 0) {
    return refuse(kBadRequest, "InvalidOperation.NotFoundRoute", "The route is not published.");
  }
  return json::object();
}

SimAnswer VpcService::serve(const SimCall& call, json& state) {
  using Verb = SimAnswer (Turn::*)();
  constexpr std::array<std::pair<std::string_view, Verb>, 7> kVerbs{
      std::pair{"DescribeRouteEntryList", &Turn::describe_entries},
      std::pair{"CreateRouteEntry", &Turn::create_entry},
      std::pair{"ModifyRouteEntry", &Turn::modify_entry},
      std::pair{"DeleteRouteEntry", &Turn::delete_entry},
      std::pair{"DescribePublishedRouteEntries", &Turn::describe_published},
      std::pair{"PublishRouteEntries", &Turn::publish},
      std::pair{"WithdrawPublishedRouteEntries", &Turn::withdraw},
  };
  const auto* const found =
      std::ranges::find(kVerbs, call.action, [](const auto& each) { return each.first; });
  if (found == kVerbs.end()) return refuse(kNotFound, "InvalidAction", "The specified action is not known.");
  // every table and CEN that a call names is there
  for (const auto& [section, name] :
       {std::pair{"tables", "RouteTableId"}, std::pair{"tables", "ChildInstanceRouteTableId"},
        std::pair{"published", "CenId"}}) {
    const std::string id = call.parameters.value(name, "");
    if (!id.empty() && !state[section].contains(id)) state[section][id] = json::object();
  }
  Turn turn(*this, call, state);
  return (turn.*found->second)();
}

SimAnswer VpcService::tell(std::string_view what, const json& body, json& state) {
  if (what == "most") {
    state["most"] = body.value("entries", kMostEntries);
    return json::object();
  }
  if (what != "entry") return SimService::tell(what, body, state);
  json& entries = state["tables"][body.value("table", "")];
  const std::string range = body.value("range", "");
  if (body.value("hop", "").empty()) {
    if (entries.is_object()) entries.erase(range);
    return json::object();
  }
  entries[range] = {{"hop", body.value("hop", "")},
                    {"hopType", "Instance"},
                    {"name", body.value("name", "")},
                    {"type", body.value("type", "Custom")},
                    {"changed", std::int64_t{0}}};
  return json::object();
}

}  // namespace holdfast::gateway

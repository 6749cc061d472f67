#include "csi-nas/mounts/calls_under_way.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace holdfast::nas {

void CallsUnderWay::add(Call call) {
  std::string server = call.server;
  calls_.emplace(std::move(server), std::move(call));
}

std::optional<CallsUnderWay::Call> CallsUnderWay::take(const std::string& server,
                                                       const std::string& message) {
  const auto found = calls_.find(server);
  if (found == calls_.end() || found->second.message != message) return std::nullopt;
  return std::move(calls_.extract(found).mapped());
}

std::optional<std::string> CallsUnderWay::take_answer(const std::string& message) {
  auto found = answers_.extract(message);
  return found ? std::optional(std::move(found.mapped().text)) : std::nullopt;
}

std::optional<CallsUnderWay::Time> CallsUnderWay::busy_since(const std::string& server) const {
  const auto found = calls_.find(server);
  return found == calls_.end() ? std::nullopt : std::optional(found->second.begun);
}

bool CallsUnderWay::is_about(const std::string& target) const {
  return std::ranges::any_of(calls_, [&](const auto& each) { return each.second.target == target; });
}

std::vector<Child> CallsUnderWay::settle(Time now) {
  std::erase_if(answers_, [&](const auto& each) { return now - each.second.since >= kLongest; });
  std::vector<Child> ended;
  for (auto each = calls_.begin(); each != calls_.end();) {
    Call& call = each->second;
    ChildReply reply = call.child.answer(now);
    if (reply.kind == ChildReply::Kind::kLate) {
      ++each;
      continue;
    }
    // One without an answer is made anew by who asks.
    if (reply.kind == ChildReply::Kind::kAnswered) answers_[call.message] = {std::move(reply.text), now};
    ended.push_back(std::move(call.child));
    each = calls_.erase(each);
  }
  return ended;
}

std::vector<CallsUnderWay::Call> CallsUnderWay::give_up(Time now,
                                                        const std::function<bool(const Call&)>& of) {
  std::vector<Call> out;
  for (auto each = calls_.begin(); each != calls_.end();) {
    const bool due = now - each->second.begun >= kLongest || of(each->second);
    if (due) out.push_back(std::move(each->second));
    each = due ? calls_.erase(each) : std::next(each);
  }
  return out;
}

}  // namespace holdfast::nas

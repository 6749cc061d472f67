#include "cni-flannel/ipam/allocator.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "cni-flannel/ipam/range_set.h"

namespace holdfast::flannel {
namespace {

template <class Container, class Value>
bool has(const Container& container, const Value& value) {
  return std::ranges::find(container, value) != container.end();
}

class Planner {
 public:
  Planner(const Situation& situation, Owners& owners) : now_(situation), owners_(owners) {}

  Result<Decision> run() {
    find_own();
    end_useless_bindings();
    collect_bound();
    HOLDFAST_CHECK(check_requested());
    for (std::size_t set = 0; set < now_.config.range_sets.size(); ++set) {
      HOLDFAST_TRY(const Choice choice, choose(set));
      decision_.choices.push_back(choice);
    }
    std::ranges::sort(decision_.ended);
    return std::move(decision_);
  }

 private:
  // boxes without a battery begin in 1970, or when their firmware was made
  static constexpr std::chrono::sys_seconds kClockIsSet =
      std::chrono::sys_days(std::chrono::year(2024) / 1 / 1);
  static constexpr std::size_t kNoBinding = std::numeric_limits<std::size_t>::max();

  [[nodiscard]] const RangeSet& set_at(std::size_t set) const { return now_.config.range_sets[set]; }
  [[nodiscard]] const Binding* own() const { return own_ == kNoBinding ? nullptr : &now_.bindings[own_]; }
  [[nodiscard]] bool has_ended(std::size_t binding) const { return has(decision_.ended, binding); }
  [[nodiscard]] const IpRange* usable(std::size_t set, const IpAddress& address) const {
    return usable_range(set_at(set), now_.config.reserved, address);
  }

  void find_own() {
    if (!now_.request.pod) {
      return;
    }
    const PodKey key{now_.request.pod->name_space, now_.request.pod->name, now_.request.attachment.ifname};
    const auto found = std::ranges::find(now_.bindings, key, &Binding::key);
    if (found != now_.bindings.end()) {
      own_ = static_cast<std::size_t>(found - now_.bindings.begin());
    }
  }

  // Within a boot the clock has no say. Over boots one that went back makes a binding young, never old, and a
  // time that was told before the clock was set tells nothing.
  [[nodiscard]] bool is_expired(const Binding& binding) const {
    if (!now_.config.binding_ttl || binding.state != BindingState::kAbsent) {
      return false;
    }
    if (binding.boot_id == now_.boot_id) {
      return now_.uptime - binding.uptime > *now_.config.binding_ttl;
    }
    return binding.wall_time > kClockIsSet && now_.now - binding.wall_time > *now_.config.binding_ttl;
  }

  [[nodiscard]] bool is_outside(const Binding& binding) const {
    return std::ranges::none_of(binding.addresses, [this](const IpAddress& address) {
      return std::ranges::any_of(now_.config.range_sets,
                                 [&](const RangeSet& set) { return range_of(set, address) != nullptr; });
    });
  }

  void end_useless_bindings() {
    for (std::size_t i = 0; i < now_.bindings.size(); ++i) {
      const Binding& binding = now_.bindings[i];
      if (is_expired(binding) || (!is_present(binding, now_.boot_id) && is_outside(binding))) {
        decision_.ended.push_back(i);
      }
    }
    if (own_ != kNoBinding && has_ended(own_)) {
      own_ = kNoBinding;
    }
  }

  void collect_bound() {
    for (std::size_t i = 0; i < now_.bindings.size(); ++i) {
      if (!has_ended(i)) {
        for (const IpAddress& address : now_.bindings[i].addresses) {
          bound_.emplace_back(address, i);
        }
      }
    }
    std::ranges::sort(bound_);
  }

  [[nodiscard]] bool is_bound(const IpAddress& address) const {
    const auto at = std::ranges::lower_bound(bound_, address, {}, &std::pair<IpAddress, std::size_t>::first);
    return at != bound_.end() && at->first == address;
  }

  Status check_requested() const {
    std::string unplaced;
    for (const IpAddress& address : now_.request.requested) {
      if (std::ranges::none_of(now_.config.range_sets,
                               [&](const RangeSet& set) { return range_of(set, address) != nullptr; })) {
        unplaced += " " + address.to_string();
      }
    }
    if (!unplaced.empty()) {
      return fail(Code::kInvalidArgument, "failed to allocate all requested IPs:" + unplaced);
    }
    return {};
  }

  Result<Choice> choose(std::size_t set) {
    HOLDFAST_TRY(std::optional<Choice> choice, choose_requested(set));
    if (!choice) {
      choice = choose_mine(set);
    }
    if (!choice) {
      HOLDFAST_TRY(choice, choose_own(set));
    }
    if (!choice) {
      choice = choose_never_bound(set);
    }
    if (!choice) {
      HOLDFAST_TRY(choice, choose_dead(set));
    }
    if (!choice) {
      HOLDFAST_TRY(choice, choose_longest_absent(set));
    }
    if (!choice) {
      return fail(Code::kResourceExhausted,
                  "no IP addresses available in range set: " + to_string(set_at(set)));
    }
    return *choice;
  }

  [[nodiscard]] Choice make_choice(const IpRange& range, const IpAddress& address) const {
    Choice choice;
    // The prefix is the subnet's own, so it fits the family.
    choice.assigned = {Cidr::make(address, range.subnet.prefix()).value(), range.gateway};
    choice.kept = own() != nullptr && has(own()->addresses, address);
    choice.is_mine = has(now_.mine, address);
    return choice;
  }

  Result<std::optional<Choice>> choose_requested(std::size_t set) {
    const auto wanted = std::ranges::find_if(now_.request.requested, [&](const IpAddress& address) {
      return range_of(set_at(set), address) != nullptr;
    });
    if (wanted == now_.request.requested.end()) {
      return std::nullopt;
    }
    const IpRange& range = *range_of(set_at(set), *wanted);
    if (*wanted == range.gateway) {
      return fail(Code::kInvalidArgument, "requested ip " + wanted->to_string() + " is subnet's gateway");
    }
    Choice choice = make_choice(range, *wanted);
    if (!choice.is_mine) {
      HOLDFAST_TRY(const std::optional<Owner> leaves, leaving_owner(*wanted));
      if (usable(set, *wanted) == nullptr || !leaves) {
        return fail(Code::kFailedPrecondition, "requested IP address " + wanted->to_string() +
                                                   " is not available in range set " +
                                                   to_string(set_at(set)));
      }
      choice.replaces = leaves->has_file;
    }
    end_bindings_of(*wanted);
    return choice;
  }

  [[nodiscard]] std::optional<Choice> choose_mine(std::size_t set) const {
    for (const IpAddress& address : now_.mine) {
      if (const IpRange* range = usable(set, address)) {
        return make_choice(*range, address);
      }
    }
    return std::nullopt;
  }

  Result<std::optional<Choice>> choose_own(std::size_t set) {
    if (own() == nullptr) {
      return std::nullopt;
    }
    for (const IpAddress& address : own()->addresses) {
      const IpRange* range = usable(set, address);
      if (range == nullptr) {
        continue;
      }
      HOLDFAST_TRY(const std::optional<Owner> leaves, leaving_owner(address));
      if (leaves) {
        Choice choice = make_choice(*range, address);
        choice.replaces = leaves->has_file;
        return choice;
      }
    }
    return std::nullopt;
  }

  // The owner that gives the address up to this request (kNone counts), or nullopt when it keeps it.
  Result<std::optional<Owner>> leaving_owner(const IpAddress& address) {
    HOLDFAST_TRY(Owner owner, owners_.owner_of(address));
    if (owner.state == OwnerState::kNone || owner.state == OwnerState::kDead ||
        is_own_sandbox(owner, address)) {
      return owner;
    }
    return std::nullopt;
  }

  // Whether the owner is an older sandbox of the very pod that asks. An owner that lives must have the same
  // uid, or neither gives one (dockershim). Of one that nothing else tells of (imported), no uid is enough.
  [[nodiscard]] bool is_own_sandbox(const Owner& owner, const IpAddress& address) const {
    if (own() == nullptr || owner.container_id != own()->container_id || !has(own()->addresses, address)) {
      return false;
    }
    const std::string& uid = now_.request.pod->uid;
    return uid == own()->uid || (owner.state == OwnerState::kUnknown && (uid.empty() || own()->uid.empty()));
  }

  std::optional<Choice> choose_never_bound(std::size_t set) {
    const RangeSet& ranges = set_at(set);
    if (ranges.empty()) {
      return std::nullopt;
    }
    std::size_t first_range = 0;
    std::optional<IpAddress> last = now_.last_reserved.at(set);
    if (last) {
      const IpRange* range = range_of(ranges, *last);
      first_range = range == nullptr ? 0 : static_cast<std::size_t>(range - ranges.data());
      last = range == nullptr ? std::nullopt : last;
    }
    const auto is_taken = [this](const IpAddress& address) {
      return std::ranges::binary_search(now_.in_use, address) || is_bound(address);
    };
    // One range more than there are: the first one's part up to `last` comes at the end.
    for (std::size_t i = 0; i <= ranges.size(); ++i) {
      const IpRange& range = ranges[(first_range + i) % ranges.size()];
      const auto from = i == 0 && last ? last->plus(1) : std::optional(range.first);
      const auto found = from ? first_free(range, now_.config.reserved, *from, is_taken) : std::nullopt;
      if (found) {
        return make_choice(range, *found);
      }
    }
    return std::nullopt;
  }

  Result<std::optional<Choice>> choose_dead(std::size_t set) {
    for (const IpAddress& address : now_.in_use) {
      const IpRange* range = is_bound(address) ? nullptr : usable(set, address);
      if (range == nullptr) {
        continue;
      }
      HOLDFAST_TRY(const Owner owner, owners_.owner_of(address));
      if (owner.state == OwnerState::kDead) {
        Choice choice = make_choice(*range, address);
        choice.replaces = true;
        return choice;
      }
    }
    return std::nullopt;
  }

  // When a binding became absent, as far as the log tells: at its DEL, else when its boot ended. One of this
  // boot that nothing marked absent comes last.
  using Absence = std::tuple<std::uint64_t, int, std::uint64_t>;

  void sort_by_absence() {
    if (!by_absence_.empty()) {
      return;
    }
    std::map<std::string_view, std::uint64_t> end_of_boot;
    for (const Binding& binding : now_.bindings) {
      std::uint64_t& end = end_of_boot[binding.boot_id];
      end = std::max(end, binding.sequence);
    }
    end_of_boot[now_.boot_id] = std::numeric_limits<std::uint64_t>::max();
    for (std::size_t i = 0; i < now_.bindings.size(); ++i) {
      const Binding& binding = now_.bindings[i];
      const bool is_marked = binding.state == BindingState::kAbsent;
      if (i != own_) {
        by_absence_.emplace_back(Absence{is_marked ? binding.sequence : end_of_boot[binding.boot_id],
                                         is_marked ? 0 : 1, binding.sequence},
                                 i);
      }
    }
    std::ranges::sort(by_absence_);
  }

  Result<std::optional<Choice>> choose_longest_absent(std::size_t set) {
    sort_by_absence();
    for (const auto& [absence, binding] : by_absence_) {
      for (const IpAddress& address : now_.bindings[binding].addresses) {
        const IpRange* range = usable(set, address);
        if (range == nullptr) {
          continue;
        }
        HOLDFAST_TRY(const Owner owner, owners_.owner_of(address));
        if (owner.state == OwnerState::kNone || owner.state == OwnerState::kDead) {
          end_bindings_of(address);
          Choice choice = make_choice(*range, address);
          choice.replaces = owner.has_file;
          return choice;
        }
      }
    }
    return std::nullopt;
  }

  void end_bindings_of(const IpAddress& address) {
    for (std::size_t i = 0; i < now_.bindings.size(); ++i) {
      if (i != own_ && !has_ended(i) && has(now_.bindings[i].addresses, address)) {
        decision_.ended.push_back(i);
      }
    }
  }

  const Situation& now_;
  Owners& owners_;
  Decision decision_;
  std::size_t own_ = kNoBinding;
  std::vector<std::pair<IpAddress, std::size_t>> bound_;  // sorted
  std::vector<std::pair<Absence, std::size_t>> by_absence_;
};

}  // namespace

Result<Decision> plan(const Situation& situation, Owners& owners) { return Planner(situation, owners).run(); }

bool is_present(const Binding& binding, const std::string& boot_id) {
  return binding.state == BindingState::kPresent && binding.boot_id == boot_id;
}

}  // namespace holdfast::flannel

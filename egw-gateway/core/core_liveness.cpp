#include "egw-gateway/core/core_liveness.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "common/base/first_error.h"
#include "egw-gateway/choice/session_word.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

// From a node to a pod of another node: both nodes' hosts are on the way.
constexpr std::uint8_t kMostHops = 4;

}  // namespace

CoreLiveness::CoreLiveness(EventLoop& loop)
    : transport_(loop),
      engine_(loop, transport_, bfd::system_random(),
              [this](bfd::SessionId id, const bfd::StateChange& change) { changed(id, change); }) {
  engine_.on_stranger([this](const bfd::Path& path) { return admit(path); });
}

Status CoreLiveness::want_nodes(std::optional<NodeRules> rules) {
  rules_ = std::move(rules);
  adopt();
  std::erase_if(nodes_, [&](const auto& entry) {
    const auto view = engine_.find(entry.first);
    bool stays = view && may_be(view->path);
    if (stays && rules_->keys) stays = engine_.set_keys(entry.first, *rules_->keys).has_value();
    stays = stays && engine_.set_timers(entry.first, rules_->timers).has_value();
    if (!stays) static_cast<void>(engine_.remove(entry.first));
    return !stays;
  });
  if (!rules_) return {};
  FirstError errors;
  for (const IpAddress& own : rules_->own) errors.add(transport_.open(bfd::Hops::kMulti, own.family()));
  return errors.result();
}

bool CoreLiveness::may_be(const bfd::Path& path) const {
  return rules_ && path.hops == bfd::Hops::kMulti &&
         std::ranges::find(rules_->own, path.local) != rules_->own.end() && rules_->is_node(path.peer);
}

bfd::SessionConfig CoreLiveness::config_of(const bfd::Path& path) const {
  bfd::SessionConfig out;
  out.path = {path.hops, path.local, path.peer, 0};
  out.timers = rules_->timers;
  out.keys = rules_->keys;
  out.least_ttl = bfd::kTtl - kMostHops;
  return out;
}

/// While there is no way, nobody new: it asks again every second.
std::optional<bfd::SessionConfig> CoreLiveness::admit(const bfd::Path& path) {
  if (!open_ || leaving_ || !may_be(path) || nodes_.size() >= kMostNodes) return std::nullopt;
  return config_of(path);
}

bfd::Path CoreLiveness::path_to(const Access& access) {
  return {bfd::Hops::kSingle, access.target.local, access.target.peer, access.ifindex};
}

Status CoreLiveness::want_access(const std::vector<Access>& wanted) {
  FirstError errors;
  std::erase_if(access_, [&](const auto& entry) {
    const bool stays = std::ranges::any_of(wanted, [&](const Access& access) {
      return access.target.name == entry.first && path_to(access) == path_to(entry.second.access);
    });
    if (!stays) errors.add(engine_.remove(entry.second.id));
    return !stays;
  });
  for (const Access& access : wanted) {
    const auto there = access_.find(access.target.name);
    if (there != access_.end()) {
      there->second.access = access;
      errors.add(engine_.set_timers(there->second.id, access.target.timers));
      continue;
    }
    const auto id = engine_.add({.path = path_to(access),
                                 .timers = access.target.timers,
                                 .keys = std::nullopt,
                                 .admin_down = leaving_});
    if (id) {
      access_[access.target.name] = {access, *id};
    } else {
      errors.add(tl::unexpected(Error(id.error()).within("watch access point " + access.target.name)));
    }
  }
  return errors.result();
}

void CoreLiveness::open(bool open) {
  if (open_ == open) return;
  open_ = open;
  put_state();
}

void CoreLiveness::leave(bool leaving) {
  if (leaving_ == leaving) return;
  leaving_ = leaving;
  put_state();
  for (const auto& [name, watched] : access_) static_cast<void>(engine_.set_admin_down(watched.id, leaving));
}

void CoreLiveness::put_state() {
  adopt();
  const bool down = !open_ || leaving_;
  const auto why = leaving_ ? bfd::Diagnostic::kAdministrativelyDown : bfd::Diagnostic::kConcatenatedPathDown;
  for (const auto& [id, node] : nodes_) static_cast<void>(engine_.set_admin_down(id, down, why));
}

/// Sessions that nodes began, and that have told of no change yet, are ours all the same.
void CoreLiveness::adopt() {
  std::set<bfd::SessionId> access;
  for (const auto& [name, watched] : access_) access.insert(watched.id);
  for (const bfd::SessionView& view : engine_.sessions()) {
    if (!access.contains(view.id)) nodes_.try_emplace(view.id, Node{view.path.peer});
  }
}

void CoreLiveness::sweep() {
  adopt();
  for (auto node = nodes_.begin(); node != nodes_.end();) {
    const auto view = engine_.find(node->first);
    const std::uint64_t heard = view ? view->received : 0;
    const bool is_up = view && view->state.state == bfd::State::kUp;
    const bool stays = view && (is_up || heard != node->second.heard);
    node->second.heard = heard;
    if (!stays) static_cast<void>(engine_.remove(node->first));
    node = stays ? std::next(node) : nodes_.erase(node);
  }
}

void CoreLiveness::changed(bfd::SessionId id, const bfd::StateChange& change) {
  const std::optional<SessionWord> said = word_of(change);
  const auto access = std::ranges::find_if(access_, [&](const auto& entry) { return entry.second.id == id; });
  if (access != access_.end()) {
    const std::string name = access->first;  // the callee may change what is wanted
    if (said && access_told_) access_told_(name, said->word, said->why);
    return;
  }
  const auto view = engine_.find(id);
  if (!view) return;
  nodes_.try_emplace(id, Node{view->path.peer});
  if (said && node_told_) node_told_(view->path.peer.to_string(), said->word, said->why);
}

std::chrono::microseconds CoreLiveness::longest_detection() const {
  std::chrono::microseconds out{};
  for (const bfd::SessionView& view : engine_.sessions()) out = std::max(out, view.state.detection_time);
  return out;
}

std::size_t CoreLiveness::nodes_up() const {
  return static_cast<std::size_t>(std::ranges::count_if(nodes_, [&](const auto& entry) {
    const auto view = engine_.find(entry.first);
    return view && view->state.state == bfd::State::kUp;
  }));
}

}  // namespace holdfast::gateway

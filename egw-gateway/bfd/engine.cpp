#include "egw-gateway/bfd/engine.h"

#include <stdlib.h>

#include <algorithm>
#include <string>

namespace holdfast::bfd {
namespace {

bool is_link_local(const IpAddress& address) {
  return !address.is_v4() && address.bytes()[0] == 0xfe && (address.bytes()[1] & 0xc0U) == 0x80;
}

bool is_unspecified(const IpAddress& address) {
  return std::all_of(address.bytes().begin(), address.bytes().end(),
                     [](std::uint8_t byte) { return byte == 0; });
}

/// A session on no interface takes packets by any.
bool fits(const Path& session, const Path& packet) {
  return session.hops == packet.hops && session.local == packet.local && session.peer == packet.peer &&
         (session.interface == 0 || session.interface == packet.interface);
}

Path on_any_interface(Path path) {
  path.interface = 0;
  return path;
}

tl::unexpected<Error> no_session(SessionId id) {
  return fail(Code::kNotFound, "there is no BFD session " + std::to_string(id));
}

}  // namespace

Status check(const Path& path) {
  const std::string name = "BFD session " + path.local.to_string() + " - " + path.peer.to_string();
  if (path.local.family() != path.peer.family()) {
    return fail(Code::kInvalidArgument, name + ": its ends are of two address families");
  }
  if (is_unspecified(path.local) || is_unspecified(path.peer)) {
    return fail(Code::kInvalidArgument, name + ": an end without address");
  }
  if (path.interface == 0 && is_link_local(path.peer)) {
    return fail(Code::kInvalidArgument, name + ": a link-local peer needs an interface");
  }
  return {};
}

Random system_random() {
  return [] { return std::uint32_t{::arc4random()}; };
}

Engine::Engine(EventLoop& loop, Transport& transport, Random random, OnChange changed)
    : loop_(loop), transport_(transport), random_(std::move(random)), changed_(std::move(changed)) {
  transport_.on_readable([this] {
    receive();
    flush_and_arm();
    report_changes();
  });
}

Result<SessionId> Engine::add(const SessionConfig& config) {
  HOLDFAST_TRY(const auto made, make(config));
  flush_and_post_changes();
  return made->first;
}

Result<Engine::Entries::iterator> Engine::make(const SessionConfig& config) {
  HOLDFAST_CHECK(check(config.path));
  HOLDFAST_CHECK(check(config.timers));
  if (config.keys) HOLDFAST_CHECK(check(*config.keys));
  if (by_path_.contains(config.path)) {
    return fail(Code::kAlreadyExists, "there is a BFD session " + config.path.local.to_string() + " - " +
                                          config.path.peer.to_string());
  }
  HOLDFAST_CHECK(transport_.open(config.path.hops, config.path.peer.family()));
  const SessionId id = ++last_id_;
  const Time now = loop_.clock().since_boot();
  Session session([this] { return unused_discriminator(); }, config.timers, random_, now);
  const auto made =
      sessions_.emplace(id, Entry{config.path, config.least_ttl, std::move(session), {}, 0, now}).first;
  Entry& entry = made->second;
  if (config.keys) entry.authenticator.emplace(*config.keys, random_());
  by_path_.emplace(config.path, id);
  agenda_.emplace(now, id);
  follow_discriminator(id, entry);
  if (config.admin_down) act(id, entry, entry.session.set_admin_down(true, now));
  return made;
}

Status Engine::remove(SessionId id) {
  HOLDFAST_TRY(const auto found, entry_of(id));
  Entry& entry = found->second;
  const Actions farewell = entry.session.set_admin_down(true, loop_.clock().since_boot());
  if (farewell.send) send(entry, *farewell.send);
  forget(found);
  flush_and_post_changes();
  return {};
}

void Engine::forget(Entries::iterator found) {
  const auto& [id, entry] = *found;
  agenda_.erase({entry.planned, id});
  by_path_.erase(entry.path);
  by_discriminator_.erase(entry.discriminator);
  sessions_.erase(found);
}

Status Engine::set_admin_down(SessionId id, bool down, Diagnostic why) {
  HOLDFAST_TRY(const auto found, entry_of(id));
  act(id, found->second, found->second.session.set_admin_down(down, loop_.clock().since_boot(), why));
  flush_and_post_changes();
  return {};
}

Status Engine::set_timers(SessionId id, const Timers& timers) {
  HOLDFAST_TRY(const auto found, entry_of(id));
  HOLDFAST_CHECK(check(timers));
  found->second.session.set_timers(timers, loop_.clock().since_boot());
  act(id, found->second, {});
  flush_and_post_changes();
  return {};
}

Status Engine::set_keys(SessionId id, const Keys& keys) {
  HOLDFAST_TRY(const auto found, entry_of(id));
  HOLDFAST_CHECK(check(keys));
  if (!found->second.authenticator) {
    return fail(Code::kFailedPrecondition, "BFD session " + std::to_string(id) +
                                               " has no authentication: remove it and add it with keys");
  }
  found->second.authenticator->set_keys(keys);
  return {};
}

Result<SessionView> Engine::find(SessionId id) const {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return no_session(id);
  return view(id, found->second);
}

std::vector<SessionView> Engine::sessions() const {
  std::vector<SessionView> out;
  out.reserve(sessions_.size());
  for (const auto& [id, entry] : sessions_) out.push_back(view(id, entry));
  return out;
}

std::uint32_t Engine::unused_discriminator() {
  for (;;) {
    const std::uint32_t number = random_();
    if (number != 0 && !by_discriminator_.contains(number)) return number;
  }
}

SessionView Engine::view(SessionId id, const Entry& entry) {
  return {id, entry.path, entry.session.state(), entry.sent, entry.received, entry.refused};
}

Result<Engine::Entries::iterator> Engine::entry_of(SessionId id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return no_session(id);
  return found;
}

/// The session that a packet is for: RFC 5880 section 6.8.6. By addresses only while the peer does not know
/// our discriminator.
Engine::Entries::iterator Engine::addressee(const Packet& packet, const Path& path) {
  if (packet.your_discriminator != 0) {
    const auto known = by_discriminator_.find(packet.your_discriminator);
    return known == by_discriminator_.end() ? sessions_.end() : sessions_.find(known->second);
  }
  auto found = by_path_.find(path);
  if (found == by_path_.end()) found = by_path_.find(on_any_interface(path));
  return found == by_path_.end() ? sessions_.end() : sessions_.find(found->second);
}

std::optional<Refusal> Engine::accept(const Incoming& incoming) {
  if (incoming.path.hops == Hops::kSingle && incoming.ttl != kTtl) return Refusal::kHopLimit;
  const auto packet = parse_packet(incoming.payload);
  if (!packet) return packet.error();
  auto found = addressee(*packet, incoming.path);
  const bool stranger = found == sessions_.end();
  if (stranger) found = admit(*packet, incoming.path);
  if (found == sessions_.end()) return Refusal::kNoSession;
  auto& [id, entry] = *found;
  if (!fits(entry.path, incoming.path)) {
    if (stranger) forget(found);
    return Refusal::kAddress;
  }
  const Time now = loop_.clock().since_boot();
  if (const std::optional<Refusal> refusal = examine(entry, incoming, *packet, now)) {
    ++entry.refused;
    if (stranger) forget(found);
    return refusal;
  }
  ++entry.received;
  act(id, entry, entry.session.received(*packet, now));
  return std::nullopt;
}

/// The session that a packet of none begins, if it may.
Engine::Entries::iterator Engine::admit(const Packet& packet, const Path& path) {
  if (!stranger_ || packet.your_discriminator != 0 || packet.state != State::kDown) return sessions_.end();
  const std::optional<SessionConfig> config = stranger_(path);
  if (!config) return sessions_.end();
  return make(*config).value_or(sessions_.end());
}

/// Whether a packet with the addresses of its session is from the peer.
std::optional<Refusal> Engine::examine(Entry& entry, const Incoming& incoming, const Packet& packet,
                                       Time now) {
  if (incoming.ttl < entry.least_ttl) return Refusal::kHopLimit;
  if (entry.authenticator) {
    return entry.authenticator->verify(incoming.payload, packet, now, entry.session.forgets_after());
  }
  return packet.authenticated ? std::optional(Refusal::kUnexpectedAuthentication) : std::nullopt;
}

void Engine::receive() {
  transport_.receive([this](const Incoming& incoming) {
    if (const std::optional<Refusal> refusal = accept(incoming)) {
      ++counters_.refused.at(static_cast<std::size_t>(*refusal));
    } else {
      ++counters_.received;
    }
  });
}

/// What came while we were kept from running counts before silence does.
void Engine::run_due() {
  wakes_at_ = Time::max();
  receive();
  const Time now = loop_.clock().since_boot();
  while (!agenda_.empty()) {
    const auto [planned, id] = *agenda_.begin();
    Entry& entry = sessions_.at(id);
    if (entry.session.may_act(now)) {
      act(id, entry, entry.session.due(now));
    } else if (entry.session.next_due() == planned) {
      break;
    }
    move_in_agenda(id, entry, entry.session.next_due());
  }
  flush_and_arm();
  report_changes();
}

/// What a session gave to do; and its next turn, when that is earlier than planned. A later one is seen when
/// the planned one has come: most packets only put a death off.
void Engine::act(SessionId id, Entry& entry, const Actions& actions) {
  follow_discriminator(id, entry);
  if (actions.send) send(entry, *actions.send);
  if (actions.change) changes_.emplace_back(id, *actions.change);
  if (const Time due = entry.session.next_due(); due < entry.planned) move_in_agenda(id, entry, due);
}

void Engine::send(Entry& entry, const Packet& packet) {
  WirePacket wire = encode(packet);
  if (entry.authenticator) entry.authenticator->sign(wire);
  outbox_.push_back({entry.path, wire});
  ++entry.sent;
}

void Engine::follow_discriminator(SessionId id, Entry& entry) {
  if (entry.discriminator == entry.session.discriminator()) return;
  by_discriminator_.erase(entry.discriminator);
  entry.discriminator = entry.session.discriminator();
  by_discriminator_.emplace(entry.discriminator, id);
}

void Engine::move_in_agenda(SessionId id, Entry& entry, Time at) {
  auto node = agenda_.extract({entry.planned, id});
  node.value().first = entry.planned = at;
  agenda_.insert(std::move(node));
}

/// Sends what is to be sent, and is woken for what is due next.
void Engine::flush_and_arm() {
  if (!outbox_.empty()) {
    const Sent sent = transport_.send(outbox_);
    counters_.sent += outbox_.size() - sent.refused;
    counters_.send_failures += sent.refused;
    if (sent.refused > 0) counters_.last_send_errno = sent.sys_errno;
    outbox_.clear();
  }
  if (agenda_.empty() || agenda_.begin()->first >= wakes_at_) return;
  wakes_at_ = agenda_.begin()->first;
  const Time wait = std::max(Time{}, wakes_at_ - loop_.clock().since_boot());
  timer_ = loop_.after(wait, [this] { run_due(); });
}

void Engine::flush_and_post_changes() {
  flush_and_arm();
  if (!changes_.empty() && !telling_.pending()) {
    telling_ = loop_.after({}, [this] { report_changes(); });
  }
}

/// Those that are told may cause others.
void Engine::report_changes() {
  while (!changes_.empty()) {
    const auto changes = std::exchange(changes_, {});
    for (const auto& [id, change] : changes) {
      if (sessions_.contains(id)) changed_(id, change);
    }
  }
}

}  // namespace holdfast::bfd

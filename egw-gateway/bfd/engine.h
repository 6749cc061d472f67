#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "egw-gateway/bfd/authentication.h"
#include "egw-gateway/bfd/refusal.h"
#include "egw-gateway/bfd/session.h"
#include "egw-gateway/bfd/transport.h"

namespace holdfast::bfd {

/// Names a session of an engine as long as that lives; no other has had it. Never 0.
using SessionId = std::uint64_t;

struct SessionConfig {
  Path path;
  Timers timers;
  std::optional<Keys> keys;    ///< nullopt: no authentication
  std::uint8_t least_ttl = 1;  ///< of packets over several hops: 255 less the hops that are allowed
  bool admin_down = false;     ///< begin so
};

/// A session as it is, to be shown.
struct SessionView {
  SessionId id = 0;
  Path path;
  SessionState state;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;  ///< and accepted
  std::uint64_t refused = 0;   ///< came to this session and were not accepted
};

/// Since the engine was made.
struct EngineCounters {
  std::uint64_t sent = 0;
  std::uint64_t send_failures = 0;                 ///< the kernel would not take them
  int last_send_errno = 0;                         ///< 0: none
  std::uint64_t received = 0;                      ///< and accepted
  std::array<std::uint64_t, kRefusals> refused{};  ///< by Refusal
};

/// Many BFD sessions on one event loop, one timer and a few sockets. What is due at about the same time goes
/// out by one system call. A change of state is sent as it happens.
///
/// While the loop is held up by others nothing is sent: nothing on it may block for long. What has come in
/// that time is read before any peer is found silent.
///
/// A kill leaves nothing behind; peers find it out in their detection time. remove() tells them at once.
/// Not thread-safe.
class Engine {
 public:
  using OnChange = std::function<void(SessionId, const StateChange&)>;

  /// All of these outlive it. `changed` is told of every change of state, in their order, from the event loop
  /// and never from within a call; it may call everything here, and not destroy the engine.
  Engine(EventLoop& loop, Transport& transport, Random random, OnChange changed);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine() = default;

  /// Errors: kInvalidArgument: what check() refuses, ends of two families or without address, a link-local
  /// peer without interface; kAlreadyExists: a session on the same path; those of Transport::open().
  Result<SessionId> add(const SessionConfig& config);
  // Errors of the following: kNotFound.
  /// Tells the peer that the session is administratively down, and forgets it.
  Status remove(SessionId id);
  Status set_admin_down(SessionId id, bool down, Diagnostic why = Diagnostic::kAdministrativelyDown);
  /// The peer is asked to agree, while the session stays as it is. Errors: also those of check().
  Status set_timers(SessionId id, const Timers& timers);
  /// Of a session with authentication. Errors: also those of check(), kFailedPrecondition without.
  Status set_keys(SessionId id, const Keys& keys);

  /// Asked when a packet would begin a session that nobody added: it is Down, answers nobody, and came to a
  /// kind of path that is open. What that session is to be, on this path; nullopt: there shall be none. It
  /// stays when the packet is accepted, and is then as one that was added. May not call the engine. Source:
  /// RFC 5880 section 6.1, the passive role.
  using Stranger = std::function<std::optional<SessionConfig>(const Path&)>;
  void on_stranger(Stranger stranger) { stranger_ = std::move(stranger); }

  [[nodiscard]] Result<SessionView> find(SessionId id) const;
  /// In no order.
  [[nodiscard]] std::vector<SessionView> sessions() const;
  [[nodiscard]] const EngineCounters& counters() const { return counters_; }

 private:
  using Time = std::chrono::nanoseconds;
  struct Entry {
    Path path;
    std::uint8_t least_ttl = 1;
    Session session;
    std::optional<Authenticator> authenticator;
    std::uint32_t discriminator = 0;  // of the session, by which by_discriminator_ has it
    Time planned{};                   // its place in agenda_: not after session.next_due()
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t refused = 0;
  };
  using Entries = std::unordered_map<SessionId, Entry>;

  [[nodiscard]] std::uint32_t unused_discriminator();
  [[nodiscard]] static SessionView view(SessionId id, const Entry& entry);
  Result<Entries::iterator> entry_of(SessionId id);
  Result<Entries::iterator> make(const SessionConfig& config);
  Entries::iterator admit(const Packet& packet, const Path& path);
  void forget(Entries::iterator found);
  Entries::iterator addressee(const Packet& packet, const Path& path);
  std::optional<Refusal> accept(const Incoming& incoming);
  static std::optional<Refusal> examine(Entry& entry, const Incoming& incoming, const Packet& packet,
                                        Time now);
  // What begins anything (a call, a readable socket, the timer) changes sessions by act(); then it sends and
  // arms the timer; then it reports.
  void receive();
  void run_due();
  void act(SessionId id, Entry& entry, const Actions& actions);
  void send(Entry& entry, const Packet& packet);
  void move_in_agenda(SessionId id, Entry& entry, Time at);
  void follow_discriminator(SessionId id, Entry& entry);
  void flush_and_arm();
  void flush_and_post_changes();
  void report_changes();

  EventLoop& loop_;
  Transport& transport_;
  Random random_;
  OnChange changed_;
  Stranger stranger_;
  Entries sessions_;
  SessionId last_id_ = 0;
  std::map<Path, SessionId> by_path_;
  std::unordered_map<std::uint32_t, SessionId> by_discriminator_;
  std::set<std::pair<Time, SessionId>> agenda_;
  std::vector<Outgoing> outbox_;
  std::vector<std::pair<SessionId, StateChange>> changes_;  // not told
  EngineCounters counters_;
  Time wakes_at_ = Time::max();
  EventLoop::Timer timer_;
  EventLoop::Timer telling_;
};

/// Errors: those of Engine::add() for a path.
[[nodiscard]] Status check(const Path& path);

/// The system's random numbers.
[[nodiscard]] Random system_random();

}  // namespace holdfast::bfd

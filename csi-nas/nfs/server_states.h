#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

namespace holdfast::nas {

/// Where a server's NFS answers.
struct ServerAddress {
  std::string address;  ///< of IPv4 or IPv6, canonical and without brackets: "10.0.0.5", "fe80::5%eth0"
  std::uint16_t port = 2049;
  /// "10.0.0.5:2049", "[fd00::5]:2049"
  [[nodiscard]] std::string text() const;
  auto operator<=>(const ServerAddress&) const = default;
};

/// An address as all write it: IPv6 in its shortest form, its zone by the interface's name, where that is
/// there. What is no address stays.
[[nodiscard]] std::string canonical_address(const std::string& address);

enum class ServerState : std::uint8_t {
  kUnknown,  ///< it was not asked, or has not had the time to answer
  kAlive,
  kSuspect,  ///< it is late, and is being asked again
  kDead,
};

/// "unknown", "alive", "suspect", "dead".
[[nodiscard]] const char* to_string(ServerState state);

struct ServerHealth {
  ServerState state = ServerState::kUnknown;
  std::chrono::nanoseconds silence{};  ///< since its last answer, or since it was asked first
  int error = 0;  ///< errno of the last try: ECONNREFUSED, EHOSTUNREACH, ENODEV for an interface that is not
                  ///< there, EPROTO where something else than NFS answers; 0: nothing came
};

/// What is wrong with a server that does not live, "has not answered for 9 s", "refuses connections: ...".
[[nodiscard]] std::string ailment_of(const ServerHealth& health);

/// Whether NFS servers live. All may be called from any thread. The tests' one answers as it is told.
class ServerStates {
 public:
  ServerStates() = default;
  ServerStates(const ServerStates&) = delete;
  ServerStates& operator=(const ServerStates&) = delete;
  virtual ~ServerStates() = default;

  /// What is known now. kUnknown for a server that nobody has asked for.
  [[nodiscard]] virtual ServerHealth health(const ServerAddress& server) const = 0;
  /// Waits, `patience` at most, until it is known whether it lives; one that was not asked is asked from now
  /// on.
  [[nodiscard]] virtual ServerHealth settled(const ServerAddress& server,
                                             std::chrono::nanoseconds patience) = 0;
  /// Something did not answer in time: it is asked at once.
  virtual void suspect(const ServerAddress& server) = 0;
};

}  // namespace holdfast::nas

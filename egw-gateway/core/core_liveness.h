#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "egw-gateway/bfd/engine.h"
#include "egw-gateway/bfd/udp_transport.h"
#include "egw-gateway/choice/gateway_choice.h"
#include "egw-gateway/core/core_plan.h"

namespace holdfast::gateway {

/// A gateway's BFD sessions, of two kinds:
///
///     nodes           over several hops (RFC 5883), begun by them; signed with keys. Up says: send me what is
///                     for the cloud. While the gateway has no way they are administratively down.
///     access points   over one hop, the tunnel (RFC 5881), begun by both ends, which the tunnel signs
///
/// On the event loop; nothing blocks.
class CoreLiveness {
 public:
  /// `loop` outlives it.
  explicit CoreLiveness(EventLoop& loop);

  /// Who may begin a session, at which of our addresses, and how.
  struct NodeRules {
    std::vector<IpAddress> own{};
    std::function<bool(const IpAddress&)> is_node{};
    bfd::Timers timers{};
    std::optional<bfd::Keys> keys{};  ///< nullopt: no authentication
  };
  /// Sessions with nodes stay, with these timers and keys; those that may not be any more end. nullopt: there
  /// are none. Errors: another program has the port.
  Status want_nodes(std::optional<NodeRules> rules);

  /// `why`: for people. Never called from within a call.
  using Told = std::function<void(const std::string& name, Word word, const std::string& why)>;
  void on_access(Told told) { access_told_ = std::move(told); }
  void on_node(Told told) { node_told_ = std::move(told); }

  struct Access {
    AccessTarget target;
    int ifindex = 0;  ///< of its tunnel
  };
  /// Where packets of its session go; another path is another session.
  [[nodiscard]] static bfd::Path path_to(const Access& access);
  /// These and no others. One whose path is the same goes on undisturbed; one of another path begins anew,
  /// and tells of nothing before it is up. Errors: the first.
  Status want_access(const std::vector<Access>& wanted);

  /// Whether nodes may send to us: whether there is a way to the cloud.
  void open(bool open);
  /// Tells all that they are to send by another way, or (false) that they may send again.
  void leave(bool leaving);
  /// Ends sessions of nodes that were not heard of since the last call. To be called every half minute or so.
  void sweep();

  /// For a peer to know what leave() told: the longest detection time of all sessions.
  [[nodiscard]] std::chrono::microseconds longest_detection() const;
  [[nodiscard]] std::size_t nodes_up() const;
  [[nodiscard]] std::size_t nodes() const { return nodes_.size(); }
  [[nodiscard]] const bfd::EngineCounters& counters() const { return engine_.counters(); }

 private:
  struct Watched {
    Access access;
    bfd::SessionId id = 0;
  };
  struct Node {
    IpAddress address;
    std::uint64_t heard = 0;  // packets at the last sweep
  };
  [[nodiscard]] std::optional<bfd::SessionConfig> admit(const bfd::Path& path);
  [[nodiscard]] bfd::SessionConfig config_of(const bfd::Path& path) const;
  [[nodiscard]] bool may_be(const bfd::Path& path) const;
  void changed(bfd::SessionId id, const bfd::StateChange& change);
  void put_state();
  void adopt();

  Told access_told_;
  Told node_told_;
  std::optional<NodeRules> rules_;
  bool open_ = false;
  bool leaving_ = false;
  std::map<std::string, Watched> access_;  // by name
  std::map<bfd::SessionId, Node> nodes_;
  bfd::UdpTransport transport_;
  bfd::Engine engine_;
};

}  // namespace holdfast::gateway

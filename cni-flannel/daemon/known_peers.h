#pragma once

#include <chrono>
#include <list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cni-flannel/daemon/node_network_object.h"
#include "cni-flannel/daemon/overlay_store.h"

namespace holdfast::flannel {

/// Names of nodes.
using NodeNames = std::set<std::string, std::less<>>;

/// What is known of the cluster's nodes, ourselves included. A source tells more; nothing is forgotten
/// because a source is silent, empty, partial or wrong: only what a whole list leaves out, or is told to be
/// gone, and that after a delay, in which it may come back.
///
/// Nodes stand in the order of their claims (wanted_peers() lets the last one win): one that is new, or has
/// changed what it publishes, stands last, but before each node that had a VTEP MAC of it already, so that
/// nobody takes another's MAC by claiming it. Who is gone stands first. Times are of Clock::since_boot().
class KnownPeers {
 public:
  using Time = std::chrono::nanoseconds;

  /// `stored` in the order of their claims.
  explicit KnownPeers(std::vector<NodeNetworkObject> stored = {});

  [[nodiscard]] const std::list<NodeNetworkObject>& nodes() const { return nodes_; }
  /// What the nodes publish, in the same order. Valid until the next change.
  [[nodiscard]] std::vector<const NodeNetwork*> networks() const;
  /// nullptr when it is not known.
  [[nodiscard]] const NodeNetworkObject* find(std::string_view name) const;

  /// A node was told of. One with `removed_at` is gone from `now`. Returns whether anything but the object's
  /// version is new.
  bool put(NodeNetworkObject node, Time now);
  /// A node was told to be gone. Another uid than the one we hold is old news: the name was given anew.
  void gone(std::string_view name, std::string_view uid, Time now);
  /// A whole list holds these nodes: the others are gone from `now`. An empty one says nothing: it is what a
  /// cache answers that has lost its data.
  void keep_only(const NodeNames& listed, Time now);

  /// Since when nodes are gone, told as for how long, which a restart of the machine does not change.
  [[nodiscard]] GoneFor gone_for(Time now) const;
  /// The same of an earlier life; of nodes that are not known it means nothing.
  void recall_gone(const GoneFor& gone, Time now);

  /// Forgets nodes that have been gone for `delay` and returns their names.
  std::vector<std::string> forget(Time now, Time delay);
  /// When forget() has something to do next, for the same `delay`; Time::max() when nothing is gone.
  [[nodiscard]] Time next_forget(Time delay) const;
  [[nodiscard]] std::size_t gone_count() const { return gone_since_.size(); }

 private:
  using Nodes = std::list<NodeNetworkObject>;
  /// Before whom a node stands that publishes `network` from now on; `known` is where it stood, or the end.
  [[nodiscard]] Nodes::const_iterator place_of(const NodeNetwork& network, Nodes::const_iterator known) const;
  /// Puts a node among those that are gone, if it is not there.
  bool leave(Nodes::iterator node, Time since);

  Nodes nodes_;
  std::map<std::string, Nodes::iterator, std::less<>> by_name_;
  std::map<std::string, Time, std::less<>> gone_since_;
};

}  // namespace holdfast::flannel

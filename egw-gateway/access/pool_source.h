#pragma once

#include <set>
#include <string>

#include "common/base/result.h"
#include "egw-gateway/model/edge_gateway.h"

namespace holdfast::gateway {

/// Who hears of all pools' EdgeGateways, from the event loop. A call must not end the source.
class PoolConsumer {
 public:
  PoolConsumer() = default;
  PoolConsumer(const PoolConsumer&) = delete;
  PoolConsumer& operator=(const PoolConsumer&) = delete;
  virtual ~PoolConsumer() = default;

  /// There it is, new, changed or as it was.
  virtual void told(EdgeGateway gateway) = 0;
  /// It is not there, on good authority: not because a list was empty, or nobody answered.
  virtual void gone(const std::string& pool) = 0;
  /// The same of all but these.
  virtual void only(const std::set<std::string>& pools) = 0;
  /// Whether the source is heard; empty: all is well. `trouble` says what is wrong and the cure.
  virtual void health(const std::string& trouble) = 0;
};

/// Tells of all pools' EdgeGateways.
class PoolSource {
 public:
  PoolSource() = default;
  PoolSource(const PoolSource&) = delete;
  PoolSource& operator=(const PoolSource&) = delete;
  virtual ~PoolSource() = default;

  /// `consumer` outlives it; told from the loop's next turn on. Errors: what no waiting cures.
  virtual Status start(PoolConsumer& consumer) = 0;
  /// Soon again.
  virtual void look_again() = 0;
};

}  // namespace holdfast::gateway

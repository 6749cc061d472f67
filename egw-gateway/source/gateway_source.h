#pragma once

#include <string>

#include "common/base/result.h"
#include "egw-gateway/model/edge_gateway.h"

namespace holdfast::gateway {

/// Who hears of the pool's EdgeGateway, from the event loop. A call must not end the source.
class GatewayConsumer {
 public:
  GatewayConsumer() = default;
  GatewayConsumer(const GatewayConsumer&) = delete;
  GatewayConsumer& operator=(const GatewayConsumer&) = delete;
  virtual ~GatewayConsumer() = default;

  /// There it is, new, changed or as it was.
  virtual void told(EdgeGateway gateway) = 0;
  /// It is not there, on good authority: not because a list was empty, or nobody answered.
  virtual void gone() = 0;
  /// Whether the source is heard; empty: all is well. `trouble` says what is wrong and the cure.
  virtual void health(const std::string& trouble) = 0;
};

/// Tells of one pool's EdgeGateway.
class GatewaySource {
 public:
  GatewaySource() = default;
  GatewaySource(const GatewaySource&) = delete;
  GatewaySource& operator=(const GatewaySource&) = delete;
  virtual ~GatewaySource() = default;

  /// `consumer` outlives it; told from the loop's next turn on. Errors: what no waiting cures.
  virtual Status start(GatewayConsumer& consumer) = 0;
  /// Soon again.
  virtual void look_again() = 0;
};

}  // namespace holdfast::gateway

#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "test/kube_server/api_server_thread.h"

namespace holdfast::bench {

/// In a cluster's API server: the kind (with its columns, or as another made it, without), a Node of some
/// kilobytes for "own", and `count` objects of others.
void fill(test::ApiServer& server, unsigned count, bool with_columns);

/// What node `number` of them publishes as its VTEP MAC after so many changes.
[[nodiscard]] std::string published_mac(unsigned number, unsigned change);

/// What one node's flanneld exchanges with the API server in an hour in which each of `count` nodes changes
/// its MAC and is started again, with a bookmark a minute and an end of the watch; heads and bodies as they
/// are on the wire within TLS.
struct Hour {
  std::uint64_t received = 0;  ///< bytes, by the node
  std::uint64_t sent = 0;
  std::uint64_t events = 0;  ///< bytes of those received that told of MACs

  [[nodiscard]] double bytes_a_minute() const {
    return static_cast<double>(received + sent) / std::chrono::minutes(std::chrono::hours(1)).count();
  }
};
[[nodiscard]] Result<Hour> measure_hour(unsigned count, bool with_columns);

}  // namespace holdfast::bench

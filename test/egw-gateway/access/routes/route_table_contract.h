#pragma once

#include <string>
#include <vector>

#include "common/base/clock.h"
#include "egw-gateway/access/routes/route_table.h"

namespace holdfast::test {

/// A table with what the contract needs around it.
class TableScene {
 public:
  TableScene() = default;
  TableScene(const TableScene&) = delete;
  TableScene& operator=(const TableScene&) = delete;
  virtual ~TableScene() = default;

  virtual gateway::RouteTable& table() = 0;
  virtual Clock& clock() = 0;
  /// A route of somebody else for this range, which would be in the way of ours.
  virtual void add_foreign(const Cidr& range) = 0;
  /// A tunnel that there is, by number from 0; any number where the table knows none.
  virtual int tunnel(int number) = 0;
};

/// What every RouteTable keeps, each on a scene of its own. Called in a test case.
void check_publishing(TableScene& scene);
void check_foreign_routes(TableScene& scene);
void check_nothing_is_unreached_meanwhile(TableScene& scene);
void check_single_calls(TableScene& scene);

}  // namespace holdfast::test

#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace holdfast::kube {

/// A member of an object that a column of the server's table shows.
struct TableColumn {
  std::string name{};  ///< as the server calls it: of a custom resource "Name", then its printer columns
  std::string path{};  ///< JSON pointer: "/spec/podCIDRs/0"
};

/// Makes objects of the rows of a table, of which a server sends what its columns show and nothing else.
/// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
class TableRows {
 public:
  /// `base`: JSON text of the members that all have, such as their kind.
  TableRows(std::vector<TableColumn> columns, std::string base)
      : columns_(std::move(columns)), base_(std::move(base)) {}

  /// columnDefinitions, which come with the first table only. Errors: kUnimplemented, with the name of a
  /// column that is not there.
  Status take_definitions(const nlohmann::json& definitions);
  /// The object that a row shows; an empty cell is an absent member. Errors: kDataLoss for a row that does
  /// not fit the definitions, or before there are any.
  [[nodiscard]] Result<nlohmann::json> object_of(const nlohmann::json& row) const;

 private:
  std::vector<TableColumn> columns_;
  std::string base_;
  std::vector<std::size_t> places_;  // of columns_ in a row
};

}  // namespace holdfast::kube

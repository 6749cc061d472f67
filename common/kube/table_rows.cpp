#include "common/kube/table_rows.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace holdfast::kube {

using nlohmann::json;

Status TableRows::take_definitions(const json& definitions) {
  std::vector<std::size_t> places;
  for (const TableColumn& column : columns_) {
    const auto found = std::ranges::find_if(definitions, [&](const json& definition) {
      return definition.is_object() && definition.contains("name") && definition["name"] == column.name;
    });
    if (found == definitions.end()) {
      return fail(Code::kUnimplemented, "the server's table has no column '" + column.name + "'");
    }
    places.push_back(static_cast<std::size_t>(found - definitions.begin()));
  }
  places_ = std::move(places);
  return {};
}

Result<json> TableRows::object_of(const json& row) const {
  const auto cells = row.is_object() ? row.find("cells") : row.end();
  if (places_.empty() || !row.is_object() || cells == row.end() || !cells->is_array()) {
    return fail(Code::kDataLoss, "a row of the table has no cells, or no columns");
  }
  json object = json::parse(base_);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (places_[i] >= cells->size()) {
      return fail(Code::kDataLoss, "a row of the table is shorter than its columns");
    }
    const json& cell = (*cells)[places_[i]];
    if (!cell.is_null() && !(cell.is_string() && cell.get_ref<const std::string&>().empty())) {
      object[json::json_pointer(columns_[i].path)] = cell;
    }
  }
  return object;
}

}  // namespace holdfast::kube

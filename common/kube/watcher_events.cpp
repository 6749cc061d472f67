// What a Watcher makes of the lines of a watch.
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/kube/watcher.h"

namespace holdfast::kube {
namespace {

using nlohmann::json;

tl::unexpected<Error> bad(std::string message) { return fail(Code::kDataLoss, std::move(message)); }

}  // namespace

Status Watcher::take_lines(std::string_view bytes) {
  HOLDFAST_CHECK(lines_->push(bytes));
  if (lines_->between_lines()) {
    half_line_.end();
  } else if (!half_line_.pending()) {
    half_line_ = loop_.after(options_.half_line, [this] {
      exchange_.reset();
      watch_ended(fail(Code::kDeadlineExceeded, "the rest of a line did not come"));
    });
  }
  return {};
}

Status Watcher::take_line(std::string_view line) {
  KeptFields kept{"type",
                  "object.kind",
                  "object.code",
                  "object.reason",
                  "object.message",
                  "object.metadata.name",
                  "object.metadata.namespace",
                  "object.metadata.uid",
                  "object.metadata.resourceVersion"};
  if (wants_rows()) {
    kept.insert(kept.end(), {"object.columnDefinitions", "object.rows"});
  }
  for (const std::string& field : options_.kept) {
    kept.push_back("object." + field);
  }
  Status taken = [&]() -> Status {
    HOLDFAST_TRY(const json event, parse_object(line, kept));
    const auto object = event.find("object");
    if (object == event.end() || !object->is_object()) {
      return bad("an event of the watch has no object");
    }
    return take_event(text_of(event, "type"), *object);
  }();
  refused_ = refused_ || !taken;
  return taken;
}

Status Watcher::take_event(const std::string& type, const json& object) {
  if (type == "ERROR") {
    const auto code = object.find("code");
    const int status = code != object.end() && code->is_number_integer() ? code->get<int>() : 0;
    return tl::unexpected(error_of_answer(status, dump_json(object)));
  }
  if (wants_rows() && text_of(object, "kind") == "Table") {
    return take_table(type, object);
  }
  HOLDFAST_TRY(const ObjectId id, id_of(object));
  const bool is_object = type == "ADDED" || type == "MODIFIED" || type == "DELETED";
  if (is_object && id.name.empty()) {
    return bad("an object of the watch has no name");
  }
  if (type == "DELETED") {
    consumer_.removed(id);
  } else if (is_object) {
    consumer_.put(id, object);
  } else if (type != "BOOKMARK") {
    return {};  // of a newer server: it told us nothing that we asked for
  }
  moved_to(id.resource_version);
  return {};
}

// A table of one row is an event about the object that the row shows; a bookmark's row shows nothing.
Status Watcher::take_table(const std::string& type, const json& table) {
  HOLDFAST_TRY(const ObjectId its, id_of(table));
  const auto definitions = table.find("columnDefinitions");
  if (definitions != table.end() && definitions->is_array()) {
    if (Status taken = rows_->take_definitions(*definitions); !taken) {
      options_.columns.clear();
      return taken;
    }
  }
  const auto rows = table.find("rows");
  if (type != "BOOKMARK" && rows != table.end() && rows->is_array()) {
    for (const json& row : *rows) {
      HOLDFAST_TRY(json object, rows_->object_of(row));
      object["metadata"]["resourceVersion"] = its.resource_version;
      HOLDFAST_CHECK(take_event(type, object));
    }
  }
  moved_to(its.resource_version);
  return {};
}

}  // namespace holdfast::kube

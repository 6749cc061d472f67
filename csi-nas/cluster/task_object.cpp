#include "csi-nas/cluster/task_object.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/text.h"
#include "csi-nas/cluster/nas_names.h"

namespace holdfast::nas {
namespace {

using nlohmann::json;

constexpr std::int64_t kMax = INT64_MAX;
constexpr std::int64_t kMostErrno = 4095;  // of Linux
constexpr std::size_t kMostText = 1000;    // of what people read
constexpr std::size_t kShown = 200;
constexpr std::array<std::string_view, 3> kStates{"", "done", "failed"};

// Without what is the node's own to say: where the share is mounted, and who works on it.
DirectoryOrder without_node(DirectoryOrder order) {
  order.mounted_at.clear();
  order.holder.clear();
  return order;
}

Result<DirectoryOrder> decode_order(const JsonObject& object) {
  std::vector<std::string> words;
  for (const std::string& key : object.keys()) {
    HOLDFAST_TRY(const std::string value, object[key].string());
    std::string word = key;
    word += '=';
    word += value;
    words.push_back(std::move(word));
  }
  HOLDFAST_TRY(DirectoryOrder order, parse_words(words));
  return without_node(std::move(order));
}

json encode_order(const DirectoryOrder& order) {
  json out = json::object();
  for (const std::string& word : to_words(without_node(order))) {
    const std::size_t sign = word.find('=');
    out[word.substr(0, sign)] = word.substr(sign + 1);
  }
  return out;
}

Result<SiteOrder> decode_spec(const JsonObject& object) {
  SiteOrder spec;
  const JsonField site = object["site"];
  HOLDFAST_TRY(spec.site, site.string());
  if (spec.site.empty()) return site.refuse("names no site");
  HOLDFAST_TRY(const JsonObject attributes, object["attributes"].object_or_empty());
  for (const std::string& key : attributes.keys()) {
    HOLDFAST_TRY(spec.attributes[key], attributes[key].string());
  }
  HOLDFAST_TRY(spec.mount_options, object["mountOptions"].strings_or_empty());
  HOLDFAST_TRY(const JsonObject order, object["order"].object());
  HOLDFAST_TRY(spec.order, decode_order(order));
  return spec;
}

Result<TaskStatus> decode_status(const JsonObject& object) {
  TaskStatus status;
  HOLDFAST_TRY(status.holder, object["holder"].string_or(""));
  HOLDFAST_TRY(status.epoch, object["epoch"].integer_or(0, 0, kMax));
  HOLDFAST_TRY(status.renewals, object["renewals"].integer_or(0, 0, kMax));
  HOLDFAST_TRY(status.progress, object["progress"].string_or(""));
  const JsonField state = object["state"];
  HOLDFAST_TRY(const std::string word, state.string_or(""));
  const auto* const known = std::ranges::find(kStates, word);
  if (known == kStates.end()) return state.refuse("is neither done nor failed");
  status.state = static_cast<TaskState>(known - kStates.begin());
  HOLDFAST_TRY(status.answer, object["answer"].string_or(""));
  const JsonField code = object["code"];
  HOLDFAST_TRY(const std::string name, code.string_or(""));
  status.code = kube::parse_code(name);
  if (!name.empty() && !status.code) return code.refuse("is no code of gRPC");
  HOLDFAST_TRY(status.message, object["message"].string_or(""));
  HOLDFAST_TRY(const std::int64_t sys_errno, object["errno"].integer_or(0, 0, kMostErrno));
  status.sys_errno = static_cast<int>(sys_errno);
  return status;
}

json text_or_null(const std::string& text) {
  return text.empty() ? json() : json(printable(text, kMostText));
}

}  // namespace

kube::KeptFields task_fields() { return {"spec", "status"}; }

Result<TaskObject> decode_task(const JsonObject& object) {
  TaskObject out;
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(out.id.name, metadata["name"].string());
  HOLDFAST_TRY(out.id.uid, metadata["uid"].string_or(""));
  HOLDFAST_TRY(out.id.resource_version, metadata["resourceVersion"].string_or(""));
  HOLDFAST_TRY(const JsonObject spec, object["spec"].object());
  HOLDFAST_TRY(out.spec, decode_spec(spec));
  HOLDFAST_TRY(const JsonObject status, object["status"].object_or_empty());
  HOLDFAST_TRY(out.status, decode_status(status));
  return out;
}

json encode_task(const std::string& name, const SiteOrder& spec) {
  json document{{"site", spec.site}, {"attributes", spec.attributes}, {"order", encode_order(spec.order)}};
  if (!spec.mount_options.empty()) document["mountOptions"] = spec.mount_options;
  return {{"apiVersion", kube::kStorageApiVersion},
          {"kind", kNasTaskKind},
          {"metadata", {{"name", name}, {"labels", {{kSiteLabel, spec.site}}}}},
          {"spec", std::move(document)}};
}

json encode_task_status(const TaskStatus& status) {
  const std::string_view state = kStates[static_cast<std::size_t>(status.state)];
  return {{"holder", text_or_null(status.holder)},
          {"epoch", status.epoch},
          {"renewals", status.renewals},
          {"progress", text_or_null(status.progress)},
          {"state", state.empty() ? json() : json(state)},
          {"answer", status.answer.empty() ? json() : json(status.answer)},
          {"code", status.code ? json(to_string(*status.code)) : json()},
          {"message", text_or_null(status.message)},
          {"errno", status.sys_errno != 0 ? json(status.sys_errno) : json()}};
}

Result<std::string> work_place(const SiteOrder& spec) {
  HOLDFAST_TRY(const NasSource source, parse_source(spec.attributes, spec.mount_options, ""));
  std::string out = spec.site;
  out += ' ';
  out += source.shares.front().source();
  out += spec.order.snapshot ? " snapshot " : " ";
  out += spec.order.directory;
  return out;
}

std::string told(const SiteOrder& spec) {
  std::string out(to_string(spec.order.verb));
  out += spec.order.snapshot ? " snapshot " : " ";
  out += printable(spec.order.directory, kShown);
  return out;
}

bool same_work(const SiteOrder& one, const SiteOrder& other) {
  const auto words = [](const SiteOrder& each) {
    DirectoryOrder order = without_node(each.order);
    order.stamp.clear();
    order.holds_volumes = false;
    return to_words(order);
  };
  return one.site == other.site && one.attributes == other.attributes &&
         one.mount_options == other.mount_options && words(one) == words(other);
}

}  // namespace holdfast::nas

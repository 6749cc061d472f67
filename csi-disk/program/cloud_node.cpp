#include "csi-disk/program/cloud_node.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/cidr.h"
#include "common/base/json.h"
#include "common/base/state_file.h"
#include "common/base/text.h"
#include "common/cloud/metadata.h"

namespace holdfast::disk {
namespace {

constexpr StateKind kKind{.name = "disk-node", .version = 1};
constexpr std::size_t kMostBytes = 4096;
constexpr std::size_t kLongestWord = 128;

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kLongestWord &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

Result<std::string> name_at(cloud::Metadata& metadata, const std::string& path) {
  Result<std::string> answer = metadata.get(path);
  if (!answer) return fail(Code::kUnavailable, answer.error().message);
  std::string word(trim(*answer));
  if (is_word(word)) return word;
  return fail(Code::kUnavailable, path + ": the answer is no name");
}

std::string text_of(const CloudNode& facts) {
  nlohmann::json document{{"instanceId", facts.instance_id}, {"zone", facts.zone}, {"region", facts.region}};
  if (facts.attach_limit) document["mostDisks"] = *facts.attach_limit;
  return dump_json(document);
}

Result<CloudNode> read_facts(Files& files, const std::filesystem::path& file) {
  HOLDFAST_TRY(const StateFile state, read_state(files, file, kKind, kMostBytes));
  CloudNode out;
  if (!state.content) return out;
  HOLDFAST_TRY(const nlohmann::json document, parse_json(*state.content));
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(document));
  HOLDFAST_TRY(out.instance_id, object["instanceId"].string_or(""));
  HOLDFAST_TRY(out.zone, object["zone"].string_or(""));
  HOLDFAST_TRY(out.region, object["region"].string_or(""));
  if (object["mostDisks"].present()) {
    HOLDFAST_TRY(const std::int64_t most, object["mostDisks"].integer(0, kMostAttachments));
    out.attach_limit = static_cast<std::uint32_t>(most);
  }
  return out;
}

const std::string& first_told(const std::string& told, const std::string& else_) {
  return told.empty() ? else_ : told;
}

CloudNode merged(const NodeOptions& told, const CloudNode& found) {
  return {.instance_id = first_told(told.instance_id, found.instance_id),
          .zone = first_told(told.zone, found.zone),
          .region = first_told(told.region, found.region)};
}

// The limit is another's when the instance is.
CloudNode with_limit(CloudNode found, const CloudNode& kept) {
  if (found.instance_id == kept.instance_id) found.attach_limit = kept.attach_limit;
  return found;
}

Status keep_facts(const NodeQuestion& question, const CloudNode& facts) {
  return write_state(question.files, question.file, kKind, text_of(facts));
}

bool is_whole(const CloudNode& facts) {
  return !facts.instance_id.empty() && !facts.zone.empty() && !facts.region.empty();
}

tl::unexpected<Error> not_known(const NodeQuestion& question, const std::string& why) {
  return fail(Code::kUnavailable, "what this node is to its cloud is not known: the metadata service at " +
                                      question.metadata + " has never told it (" + why +
                                      "); where there is none, name --instance-id, --zone and --region");
}

// The last word of a key: "topology.kubernetes.io/zone".
std::string_view word_of(std::string_view key) { return key.substr(key.rfind('/') + 1); }

}  // namespace

Result<CloudNode> ask_metadata(cloud::HttpClient& http, cloud::Vendor vendor, const std::string& url) {
  const std::string base = "/latest/meta-data/";
  const bool tencent = vendor == cloud::Vendor::kTencent;
  cloud::Metadata metadata(http, vendor, url);
  CloudNode out;
  HOLDFAST_TRY(out.instance_id, name_at(metadata, base + "instance-id"));
  HOLDFAST_TRY(out.zone, name_at(metadata, base + (tencent ? "placement/zone" : "zone-id")));
  HOLDFAST_TRY(out.region, name_at(metadata, base + (tencent ? "placement/region" : "region-id")));
  return out;
}

Result<CloudNode> learn_node(const NodeQuestion& question) {
  HOLDFAST_TRY(const CloudNode kept, read_facts(question.files, question.file));
  CloudNode now = kept;
  std::string why;
  if (question.vendor && !is_whole(merged(question.told, {}))) {
    const Result<CloudNode> found = ask_metadata(question.http, *question.vendor, question.metadata);
    if (found) now = with_limit(*found, kept);
    if (!found) why = found.error().message;
  }
  CloudNode facts = merged(question.told, now);
  if (!now.instance_id.empty() && now.instance_id != facts.instance_id) now.attach_limit.reset();
  if (now != kept) HOLDFAST_CHECK(keep_facts(question, now));
  facts.attach_limit = now.attach_limit;
  if (!question.vendor || is_whole(facts)) return facts;
  return not_known(question, why);
}

Result<CloudNode> learn_limit(const NodeQuestion& question, CloudNode node, const AskAttachLimit& ask) {
  if (node.instance_id.empty()) return node;
  const auto limit = ask(node.instance_id);
  if (!limit || !*limit || *limit == node.attach_limit) return node;
  node.attach_limit = *limit;
  HOLDFAST_TRY(CloudNode kept, read_facts(question.files, question.file));
  kept.attach_limit = node.attach_limit;
  HOLDFAST_CHECK(keep_facts(question, kept));
  return node;
}

std::string region_in_name(std::string_view node_name) {
  for (std::size_t dot = node_name.find('.'); dot != std::string_view::npos;
       dot = node_name.find('.', dot + 1)) {
    const auto address = IpAddress::parse(node_name.substr(dot + 1));
    if (address && address->is_v4()) return std::string(node_name.substr(0, dot));
  }
  return {};
}

Result<std::map<std::string, std::string>> topology_of(const std::vector<std::string>& keys,
                                                       const CloudNode& facts, const std::string& node_name) {
  const std::pair<std::string_view, const std::string&> words[] = {{"zone", facts.zone},
                                                                   {"region", facts.region},
                                                                   {"ecs-instance-id", facts.instance_id},
                                                                   {"hostname", node_name}};
  std::map<std::string, std::string> out;
  for (const std::string& key : keys) {
    const auto* const word =
        std::ranges::find(words, word_of(key), [](const auto& each) { return each.first; });
    if (word != std::end(words) && !word->second.empty()) out[key] = word->second;
  }
  if (keys.empty() || out.contains(keys.front())) return out;
  const std::string word(word_of(keys.front()));
  return fail(Code::kUnavailable, "the " + word +
                                      " of this node is not known: the cloud's metadata service does not "
                                      "answer, and there is no flag --" +
                                      word);
}

}  // namespace holdfast::disk

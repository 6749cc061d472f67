#include "csi-disk/program/cloud_node.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/base/state_file.h"
#include "common/base/text.h"

namespace holdfast::disk {
namespace {

constexpr std::chrono::milliseconds kPatience{2000};
constexpr StateKind kKind{.name = "disk-node", .version = 1};
constexpr std::size_t kMostBytes = 4096;
constexpr std::size_t kLongestWord = 128;
constexpr int kOk = 200;

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kLongestWord &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

Result<std::string> ask(cloud::HttpClient& http, const std::string& url) {
  auto answer = http.exchange({.url = url}, kPatience);
  if (!answer) return fail(Code::kUnavailable, url + ": " + answer.error().message);
  std::string word(trim(answer->body));
  if (answer->status == kOk && is_word(word)) return word;
  return fail(Code::kUnavailable,
              url + ": the answer is of status " + std::to_string(answer->status) + ", or no name");
}

std::string text_of(const CloudNode& facts) {
  nlohmann::json document{{"instanceId", facts.instance_id}, {"zone", facts.zone}, {"region", facts.region}};
  if (facts.most_disks) document["mostDisks"] = *facts.most_disks;
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
    out.most_disks = static_cast<std::uint32_t>(most);
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
  if (found.instance_id == kept.instance_id) found.most_disks = kept.most_disks;
  return found;
}

bool is_whole(const CloudNode& facts) {
  return !facts.instance_id.empty() && !facts.zone.empty() && !facts.region.empty();
}

// The last word of a key: "topology.kubernetes.io/zone".
std::string_view word_of(std::string_view key) { return key.substr(key.rfind('/') + 1); }

}  // namespace

Result<CloudNode> ask_metadata(cloud::HttpClient& http, cloud::Vendor vendor, const std::string& url) {
  const std::string base = url + "/latest/meta-data/";
  const bool tencent = vendor == cloud::Vendor::kTencent;
  CloudNode out;
  HOLDFAST_TRY(out.instance_id, ask(http, base + "instance-id"));
  HOLDFAST_TRY(out.zone, ask(http, base + (tencent ? "placement/zone" : "zone-id")));
  HOLDFAST_TRY(out.region, ask(http, base + (tencent ? "placement/region" : "region-id")));
  return out;
}

Result<CloudNode> learn_node(const NodeOptions& told, std::optional<cloud::Vendor> vendor,
                             const std::string& url, cloud::HttpClient& http, Files& files,
                             const std::filesystem::path& file, const AskMostDisks& ask_most) {
  HOLDFAST_TRY(const CloudNode kept, read_facts(files, file));
  CloudNode now = kept;
  if (vendor && !is_whole(merged(told, {}))) {
    if (const auto found = ask_metadata(http, *vendor, url)) now = with_limit(*found, kept);
  }
  CloudNode facts = merged(told, now);
  if (!now.instance_id.empty() && now.instance_id != facts.instance_id) now.most_disks.reset();
  if (ask_most && !facts.instance_id.empty()) {
    if (const auto most = ask_most(facts.instance_id); most && *most) now.most_disks = **most;
  }
  if (now != kept) HOLDFAST_CHECK(write_state(files, file, kKind, text_of(now)));
  facts.most_disks = now.most_disks;
  if (!vendor || is_whole(facts)) return facts;
  return fail(Code::kUnavailable,
              "what this node is to its cloud is not known: the metadata service at " + url +
                  " does not answer, and never did; where there is none, name --instance-id, --zone and "
                  "--region");
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

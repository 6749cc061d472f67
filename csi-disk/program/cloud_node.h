#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/files.h"
#include "common/base/result.h"
#include "common/cloud/credentials.h"
#include "common/cloud/http_client.h"
#include "csi-disk/driver/disk_node.h"
#include "csi-disk/program/options.h"

namespace holdfast::disk {

/// What a node is to its cloud. What is empty is not known.
struct CloudNode {
  std::string instance_id = {};
  std::string zone = {};
  std::string region = {};
  /// How many disks may be attached to it beside the one that it boots from.
  std::optional<std::uint32_t> most_disks = {};
  bool operator==(const CloudNode&) const = default;
};

/// Of the metadata service at `url`, each within two seconds. Errors: those of the exchange; kUnavailable for
/// another answer than 200. Source:
/// https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata,
/// https://www.tencentcloud.com/document/product/213/4934
Result<CloudNode> ask_metadata(cloud::HttpClient& http, cloud::Vendor vendor, const std::string& url);

/// Of a node, by the id of its instance, how many disks the cloud's API lets it have; nullopt: it does not
/// say.
using AskMostDisks = std::function<Result<std::optional<std::uint32_t>>(const std::string& instance_id)>;

/// What is told first, else what the cloud says, else what it said in an earlier life, which is kept in
/// `file` (JSON in the envelope of write_state()): a node that starts offline is where it was. `vendor`
/// nullopt: the cloud tells nothing. `ask_most`: null where the API is not called. Errors: kUnavailable when
/// anything of a vendor's node is missing, so that it is asked for again; those of reading the file. That the
/// API does not answer is none: what it said earlier counts.
Result<CloudNode> learn_node(const NodeOptions& told, std::optional<cloud::Vendor> vendor,
                             const std::string& url, cloud::HttpClient& http, Files& files,
                             const std::filesystem::path& file, const AskMostDisks& ask_most = nullptr);

/// The topology of a node: of each key what its last word tells: zone, region, ecs-instance-id, hostname. A
/// key whose value is not known is left out. Errors: kUnavailable when that is the first one.
Result<std::map<std::string, std::string>> topology_of(const std::vector<std::string>& keys,
                                                       const CloudNode& facts, const std::string& node_name);

}  // namespace holdfast::disk

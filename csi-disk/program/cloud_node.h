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
  std::optional<std::uint32_t> attach_limit = {};
  bool operator==(const CloudNode&) const = default;
};

/// Of the metadata service at `url`. Errors: kUnavailable, as Metadata::get(), or for what is no name.
Result<CloudNode> ask_metadata(cloud::HttpClient& http, cloud::Vendor vendor, const std::string& url);

/// What learn_node() goes by. All outlive it.
struct NodeQuestion {
  const NodeOptions& told;
  std::optional<cloud::Vendor> vendor;  ///< nullopt: no cloud tells a node anything
  std::string metadata;                 ///< where its metadata service is
  cloud::HttpClient& http;
  Files& files;
  std::filesystem::path file;  ///< what the cloud said in an earlier life, in the envelope of write_state()
};

/// What is told first, else what the metadata service says, else what it said in an earlier life: a node that
/// starts offline is where it was. The limit is the one that is kept of this instance. Errors: kUnavailable
/// when anything of a vendor's node is missing, so that it is asked for again, with why; those of the file.
Result<CloudNode> learn_node(const NodeQuestion& question);

/// Of a node, by the id of its instance, how many disks the cloud's API lets it have; nullopt: it does not
/// say.
using AskAttachLimit = std::function<Result<std::optional<std::uint32_t>>(const std::string& instance_id)>;

/// `node` with the limit that the API says now, which is kept; that the API does not answer is no error, and
/// leaves what was known. May take as long as `ask`. Errors: those of the file.
Result<CloudNode> learn_limit(const NodeQuestion& question, CloudNode node, const AskAttachLimit& ask);

/// The region in a node's name, "<region>.<IPv4 address>"; "" in another name.
[[nodiscard]] std::string region_in_name(std::string_view node_name);

/// The topology of a node: of each key what its last word tells: zone, region, ecs-instance-id, hostname. A
/// key whose value is not known is left out. Errors: kUnavailable when that is the first one.
Result<std::map<std::string, std::string>> topology_of(const std::vector<std::string>& keys,
                                                       const CloudNode& facts, const std::string& node_name);

}  // namespace holdfast::disk

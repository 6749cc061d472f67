#include "cni-flannel/ipam/results_cache.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"

namespace holdfast::flannel {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxCacheFile = std::size_t{1} << 20;
constexpr std::string_view kKind = "cniCacheV1";

const json& member(const json& object, const char* key) {
  static const json nothing;
  if (!object.is_object()) {
    return nothing;
  }
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

// cniArgs is a list of pairs: [["K8S_POD_NAME","web-0"], ...]
std::string argument(const json& arguments, std::string_view key) {
  if (arguments.is_array()) {
    for (const json& pair : arguments) {
      if (pair.is_array() && pair.size() == 2 && pair[0] == key) {
        return text_of(pair[1]);
      }
    }
  }
  return {};
}

std::optional<Pod> pod_of(const json& arguments) {
  Pod pod{argument(arguments, "K8S_POD_NAMESPACE"), argument(arguments, "K8S_POD_NAME"),
          argument(arguments, "K8S_POD_UID")};
  return pod.name_space.empty() || pod.name.empty() ? std::nullopt : std::optional(std::move(pod));
}

void add_address(const json& value, std::vector<IpAddress>& addresses) {
  if (const auto cidr = Cidr::parse(text_of(value))) {
    addresses.push_back(cidr->address());
  }
}

std::vector<IpAddress> addresses_in(const json& result) {
  std::vector<IpAddress> addresses;
  if (const json& ips = member(result, "ips"); ips.is_array()) {
    for (const json& ip : ips) {
      add_address(member(ip, "address"), addresses);
    }
  }
  for (const char* key : {"ip4", "ip6"}) {  // CNI 0.1 and 0.2
    add_address(member(member(result, key), "ip"), addresses);
  }
  return addresses;
}

std::string host_link_in(const json& result) {
  std::string link;
  if (const json& interfaces = member(result, "interfaces"); interfaces.is_array()) {
    for (const json& interface : interfaces) {
      if (!text_of(member(interface, "sandbox")).empty()) {
        return link;
      }
      link = text_of(member(interface, "name"));
    }
  }
  return {};
}

}  // namespace

std::optional<CachedAttachment> parse_cached_attachment(std::string_view text) {
  const auto document = parse_json(text, {.max_bytes = kMaxCacheFile});
  if (!document || text_of(member(*document, "kind")) != kKind) {
    return std::nullopt;
  }
  CachedAttachment cached;
  cached.attachment = {text_of(member(*document, "networkName")), text_of(member(*document, "containerId")),
                       text_of(member(*document, "ifName"))};
  if (cached.attachment.network.empty() || cached.attachment.container_id.empty() ||
      cached.attachment.ifname.empty()) {
    return std::nullopt;
  }
  cached.pod = pod_of(member(*document, "cniArgs"));
  cached.addresses = addresses_in(member(*document, "result"));
  cached.host_link = host_link_in(member(*document, "result"));
  return cached;
}

ResultsCache::ResultsCache(Files& files, std::filesystem::path folder)
    : files_(files), folder_(std::move(folder)) {}

std::optional<CachedAttachment> ResultsCache::find(const Attachment& attachment) {
  const std::string name = attachment.network + "-" + attachment.container_id + "-" + attachment.ifname;
  const auto bytes = files_.read(folder_ / name, kMaxCacheFile);
  auto cached = bytes && *bytes ? parse_cached_attachment(**bytes) : std::nullopt;
  return cached && cached->attachment == attachment ? std::move(cached) : std::nullopt;
}

ResultsCache::Scan ResultsCache::all_of(const std::string& network) {
  Scan scan;
  const auto names = files_.list(folder_);
  if (!names) {
    return scan;
  }
  for (const std::string& name : *names) {
    if (!name.starts_with(network + "-")) {
      continue;
    }
    const auto bytes = files_.read(folder_ / name, kMaxCacheFile);
    auto cached = bytes && *bytes ? parse_cached_attachment(**bytes) : std::nullopt;
    if (!cached) {
      ++scan.bad_files;
    } else if (cached->attachment.network == network) {
      scan.attachments.push_back(*std::move(cached));
    }
  }
  return scan;
}

}  // namespace holdfast::flannel

#include "cni-flannel/plugin/flannel_conf.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/base/json.h"

namespace holdfast::flannel {
namespace {

using cni::JsonPart;
using cni::NetConf;

/// A number and its unit, "90s", "15m", "12h", "30d"; at least one second.
Result<std::chrono::seconds> read_duration(const JsonField& field) {
  constexpr std::int64_t kLongest = std::int64_t{100} * 365 * 24 * 3600;  // a century, far from any overflow
  constexpr std::array<std::pair<char, std::int64_t>, 4> kUnits = {
      {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}}};
  HOLDFAST_TRY(const std::string text, field.string());
  std::int64_t number = 0;
  const char* const text_end = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), text_end, number);
  if (error == std::errc{} && number > 0 && end + 1 == text_end) {
    for (const auto& [unit, seconds] : kUnits) {
      if (*end == unit && number <= kLongest / seconds) return std::chrono::seconds(number * seconds);
    }
  }
  return field.refuse("is not a duration as '90s', '15m', '12h' or '30d'");
}

Result<std::vector<Cidr>> read_reserved(const JsonField& field) {
  HOLDFAST_TRY(const std::vector<JsonField> elements, field.array_or_empty());
  std::vector<Cidr> reserved;
  for (const JsonField& element : elements) {
    HOLDFAST_TRY(const std::string text, element.string());
    if (text.find('/') != std::string::npos) {
      HOLDFAST_TRY(const Cidr cidr, element.cidr());
      reserved.push_back(cidr.network());
      continue;
    }
    HOLDFAST_TRY(const IpAddress address, element.address());
    HOLDFAST_TRY(const Cidr single, Cidr::make(address, address.bits()));
    reserved.push_back(single);
  }
  return reserved;
}

Status refuse_unknown(const JsonObject& own) {
  constexpr std::array<std::string_view, 4> kKnown = {"stateDir", "resultsDir", "reserved", "bindingTtl"};
  for (const std::string& key : own.keys()) {
    if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end()) {
      return fail(Code::kInvalidArgument, own.path() + "." + key + ": no such option");
    }
  }
  return {};
}

Result<OwnConf> read_own(const JsonObject& object) {
  HOLDFAST_CHECK(refuse_unknown(object));
  OwnConf own;
  HOLDFAST_TRY(own.state_dir, read_path(object["stateDir"], own.state_dir));
  HOLDFAST_TRY(own.results_dir, read_path(object["resultsDir"], own.results_dir));
  HOLDFAST_TRY(own.reserved, read_reserved(object["reserved"]));
  if (const JsonField ttl = object["bindingTtl"]; ttl.present()) {
    HOLDFAST_TRY(own.binding_ttl, read_duration(ttl));
  }
  return own;
}

/// We as our own delegate or ipam would start ourselves without end.
Status refuse_self(const JsonField& type, const NetConf& conf) {
  HOLDFAST_TRY(const std::string name, type.string_or(""));
  if (name.empty() || (name != "flannel" && name != conf.type)) return {};
  return type.refuse("is this plugin itself");
}

Status check_delegate(const JsonObject& delegate, const NetConf& conf) {
  for (const char* name : {"name", "ipam"}) {
    if (delegate[name].present()) return delegate[name].refuse("must not be there: it is set by flannel");
  }
  return refuse_self(delegate["type"], conf);
}

Result<FlannelConf> read_flannel_conf(const NetConf& conf) {
  const JsonObject top(conf.document.get(), "");
  FlannelConf flannel;
  HOLDFAST_TRY(flannel.subnet_file, read_path(top["subnetFile"], flannel.subnet_file));
  HOLDFAST_TRY(flannel.data_dir, read_path(top["dataDir"], flannel.data_dir));
  HOLDFAST_TRY(const JsonObject delegate, top["delegate"].object_or_empty());
  HOLDFAST_CHECK(check_delegate(delegate, conf));
  HOLDFAST_TRY(const JsonObject ipam, top["ipam"].object_or_empty());
  HOLDFAST_CHECK(refuse_self(ipam["type"], conf));
  HOLDFAST_TRY(flannel.host_local_dir, read_path(ipam["dataDir"], flannel.host_local_dir));
  flannel.delegate = cni::member(conf.document, "delegate");
  flannel.ipam = cni::member(conf.document, "ipam");
  HOLDFAST_TRY(const JsonObject own, top["holdfast"].object_or_empty());
  HOLDFAST_TRY(flannel.own, read_own(own));
  return flannel;
}

}  // namespace

Result<std::filesystem::path> read_path(const JsonField& field, const std::filesystem::path& absent) {
  HOLDFAST_TRY(const std::string text, field.string_or(""));
  if (text.empty()) return absent;
  std::filesystem::path path(text);
  const bool climbs = std::find(path.begin(), path.end(), "..") != path.end();
  if (!path.is_absolute() || climbs || text.find('\0') != std::string::npos) {
    return field.refuse("is not an absolute path without '..'");
  }
  return path;
}

cni::CniResult<FlannelConf> parse_flannel_conf(const NetConf& conf) {
  return cni::to_cni(read_flannel_conf(conf), cni::CniCode::kInvalidConfig);
}

}  // namespace holdfast::flannel

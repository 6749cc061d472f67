#include "cni-flannel/plugin/delegate.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/plugin/cni_result.h"
#include "common/base/json.h"

namespace holdfast::flannel {
namespace {

using cni::CniCode;
using cni::CniResult;
using cni::JsonPart;
using nlohmann::json;

constexpr mode_t kFolderMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr std::string_view kUnfinished = ".new:";
constexpr const char* kOwnMember = "holdfast";

/// Sets a member that the object has in no spelling.
template <class T>
void put_if_absent(json& object, const char* name, T value) {
  if (!JsonObject(&object, "")[name].present()) object[name] = std::move(value);
}

json copy_of(const JsonPart& object) { return object == nullptr ? json::object() : *object; }

/// Takes away a member in whatever spelling, so that it can be set in ours.
json without(const json& object, std::string_view name) {
  return *cni::with_member(std::make_shared<const json>(object), name, nullptr);
}

CniResult<json> render_ipam(const FlannelConf& flannel, const SubnetEnv& lease) {
  const JsonPart given = cni::member(flannel.ipam, "routes");
  HOLDFAST_CHECK(cni::parse_routes(given, "ipam.routes"));
  json routes = given == nullptr ? json::array() : *given;
  for (const Cidr& network : lease.networks) routes.push_back({{"dst", network.to_string()}});
  json ranges = json::array();
  for (const auto& subnet : {lease.subnet, lease.subnet6}) {
    if (subnet) ranges.push_back(json::array({{{"subnet", subnet->network().to_string()}}}));
  }
  json ipam = without(without(copy_of(flannel.ipam), "routes"), "ranges");
  put_if_absent(ipam, "type", "host-local");
  ipam["ranges"] = std::move(ranges);
  ipam["routes"] = std::move(routes);
  return ipam;
}

/// Whose the file is, as save() wrote into it; empty for a file of upstream.
std::string owner_of(const SavedDelegate& saved) {
  const JsonPart ifname = cni::member(cni::member(saved.conf, kOwnMember), "ifname");
  return ifname != nullptr && ifname->is_string() ? ifname->get<std::string>() : std::string{};
}

SavedDelegate without_owner(SavedDelegate saved) {
  if (saved.conf != nullptr) saved.conf = cni::with_member(saved.conf, kOwnMember, nullptr);
  return saved;
}

std::string text_with_owner(const JsonPart& conf, std::string_view ifname) {
  const auto owner = std::make_shared<const json>(json{{"ifname", ifname}});
  return cni::to_text(cni::with_member(conf, kOwnMember, owner));
}

Result<std::optional<SavedDelegate>> read_saved(Files& files, const std::filesystem::path& path) {
  Result<std::optional<std::string>> text = files.read(path, cni::kMaxConfigBytes);
  if (!text) return tl::unexpected(std::move(text).error());
  if (!*text) return std::nullopt;
  SavedDelegate saved{path, nullptr, {}};
  Result<JsonPart> conf = cni::parse_document(**text, path.string());
  if (!conf) {
    saved.defect = std::move(conf).error().message;
  } else if (!(*conf)->is_object()) {
    saved.defect = path.string() + ": it must be a JSON object";
  } else {
    saved.conf = *std::move(conf);
  }
  return saved;
}

/// The attachment that a file's name stands for; ifname empty for a first file.
std::optional<cni::ValidAttachment> attachment_named(std::string_view name) {
  if (name.substr(0, kUnfinished.size()) == kUnfinished) name.remove_prefix(kUnfinished.size());
  const std::size_t colon = name.find(':');
  cni::ValidAttachment attachment{std::string(name.substr(0, colon)), {}};
  if (colon != std::string_view::npos) attachment.ifname = name.substr(colon + 1);
  if (!cni::validate_container_id(attachment.container_id)) return std::nullopt;
  return attachment;
}

bool is_valid(const cni::ValidAttachment& attachment, const std::vector<cni::ValidAttachment>& valid) {
  return std::any_of(valid.begin(), valid.end(), [&](const cni::ValidAttachment& one) {
    return one.container_id == attachment.container_id &&
           (attachment.ifname.empty() || one.ifname == attachment.ifname);
  });
}

}  // namespace

CniResult<JsonPart> render_delegate(const cni::NetConf& conf, const FlannelConf& flannel,
                                    const SubnetEnv& lease) {
  json delegate = without(copy_of(flannel.delegate), "cniVersion");
  if (conf.version_given) {
    delegate["cniVersion"] = cni::to_string(conf.version);
  } else if (const JsonPart given = cni::member(flannel.delegate, "cniVersion")) {
    delegate["cniVersion"] = *given;
  }
  if (conf.runtime_config != nullptr) {
    delegate = without(delegate, "runtimeConfig");
    delegate["runtimeConfig"] = *conf.runtime_config;
  }
  if (conf.args != nullptr) put_if_absent(delegate, "args", *conf.args);
  delegate["name"] = conf.name;
  put_if_absent(delegate, "type", "bridge");
  put_if_absent(delegate, "ipMasq", !lease.masquerade);
  put_if_absent(delegate, "mtu", lease.mtu);
  const Result<std::string> type = JsonObject(&delegate, "")["type"].string_or("");
  if (type && *type == "bridge") put_if_absent(delegate, "isGateway", true);
  HOLDFAST_TRY(delegate["ipam"], render_ipam(flannel, lease));
  return std::make_shared<const json>(std::move(delegate));
}

CniResult<DelegateKind> kind_of(const JsonPart& delegate) {
  const auto read = [&]() -> Result<DelegateKind> {
    const JsonObject top(delegate.get(), "");
    DelegateKind kind;
    const JsonField type = JsonObject(delegate.get(), "delegate")["type"];
    HOLDFAST_TRY(kind.type, type.string());
    if (kind.type.empty()) return type.refuse("is empty");
    HOLDFAST_TRY(const JsonObject ipam, top["ipam"].object_or_empty());
    HOLDFAST_TRY(kind.ipam_type, ipam["type"].string_or(""));
    if (kind.ipam_type.empty() && !ipam.keys().empty()) {
      return fail(Code::kInvalidArgument, "ipam.type: is missing");
    }
    return kind;
  };
  return cni::to_cni(read(), CniCode::kInvalidConfig);
}

DelegateStore::DelegateStore(Files& files, std::filesystem::path data_dir)
    : files_(files), data_dir_(std::move(data_dir)) {}

std::filesystem::path DelegateStore::first_path(std::string_view container_id) const {
  return data_dir_ / container_id;
}

std::filesystem::path DelegateStore::further_path(std::string_view container_id,
                                                  std::string_view ifname) const {
  return data_dir_ / (std::string(container_id) + ":" + std::string(ifname));
}

std::filesystem::path DelegateStore::unfinished_path(std::string_view container_id,
                                                     std::string_view ifname) const {
  return data_dir_ / (std::string(kUnfinished) + std::string(container_id) + ":" + std::string(ifname));
}

Status DelegateStore::save(std::string_view container_id, std::string_view ifname, const JsonPart& conf,
                           Durability durability) {
  const std::filesystem::path unfinished = unfinished_path(container_id, ifname);
  const std::string text = text_with_owner(conf, ifname);
  if (text.size() > cni::kMaxConfigBytes) {
    return fail(Code::kInvalidArgument, "the delegate's configuration is longer than " +
                                            std::to_string(cni::kMaxConfigBytes) +
                                            " bytes: DEL could not read it");
  }
  HOLDFAST_CHECK(files_.make_folders(data_dir_, kFolderMode));
  HOLDFAST_CHECK(files_.remove(unfinished));  // of an ADD that was killed
  HOLDFAST_CHECK(files_.create(unfinished, text, kFileMode));
  Status done = durability == Durability::kSynced ? files_.sync_file(unfinished) : Status{};
  if (done) done = put_in_place(unfinished, container_id, ifname);
  if (!done) {
    static_cast<void>(files_.remove(unfinished));  // the first error is the one that tells
    return done;
  }
  return durability == Durability::kSynced ? files_.sync_folder(data_dir_) : Status{};
}

Status DelegateStore::put_in_place(const std::filesystem::path& unfinished, std::string_view container_id,
                                   std::string_view ifname) {
  const std::filesystem::path first = first_path(container_id);
  const std::filesystem::path further = further_path(container_id, ifname);
  Status moved = files_.rename_new(unfinished, first);
  if (!moved && moved.error().code != Code::kAlreadyExists) return moved;
  if (!moved) {
    HOLDFAST_TRY(const std::optional<SavedDelegate> there, read_saved(files_, first));
    const bool replaceable = !there || there->conf == nullptr || owner_of(*there) == ifname;
    if (!replaceable) return files_.rename(unfinished, further);
    HOLDFAST_CHECK(files_.rename(unfinished, first));
  }
  return files_.remove(further);  // what load() would never look at again
}

Result<std::optional<SavedDelegate>> DelegateStore::load(std::string_view container_id,
                                                         std::string_view ifname) {
  HOLDFAST_CHECK(files_.remove(unfinished_path(container_id, ifname)));
  HOLDFAST_TRY(std::optional<SavedDelegate> first, read_saved(files_, first_path(container_id)));
  const std::string owner = first ? owner_of(*first) : std::string{};
  if (first && owner == ifname) return without_owner(*std::move(first));
  HOLDFAST_TRY(std::optional<SavedDelegate> further, read_saved(files_, further_path(container_id, ifname)));
  if (further) return without_owner(*std::move(further));
  if (first && owner.empty()) return without_owner(*std::move(first));
  return std::nullopt;
}

Status DelegateStore::remove(const SavedDelegate& saved, Durability durability) {
  HOLDFAST_CHECK(files_.remove(saved.path));
  return durability == Durability::kSynced ? files_.sync_folder(data_dir_) : Status{};
}

Result<std::vector<DelegateStore::Stale>> DelegateStore::list_stale(
    const std::vector<cni::ValidAttachment>& valid, std::string_view network) {
  HOLDFAST_TRY(const std::vector<std::string> names, files_.list(data_dir_));
  std::vector<Stale> stale;
  for (const std::string& name : names) {
    std::optional<cni::ValidAttachment> attachment = attachment_named(name);
    if (!attachment) continue;
    const Result<std::optional<SavedDelegate>> saved = read_saved(files_, data_dir_ / name);
    if (!saved || !*saved || (*saved)->conf == nullptr) continue;
    const JsonPart of_network = cni::member((*saved)->conf, "name");
    if (of_network == nullptr || *of_network != network) continue;
    if (attachment->ifname.empty()) attachment->ifname = owner_of(**saved);
    if (is_valid(*attachment, valid)) continue;
    stale.push_back({attachment->container_id, attachment->ifname, without_owner(**saved)});
  }
  return stale;
}

}  // namespace holdfast::flannel

#include "cni-flannel/plugin/delegate_store.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/plugin/environment.h"

namespace holdfast::flannel {
namespace {

using cni::JsonPart;
using nlohmann::json;

constexpr mode_t kFolderMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr std::string_view kUnfinished = ".new:";
constexpr const char* kOwnMember = "holdfast";

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
  HOLDFAST_TRY(std::optional<SavedDelegate> first, read_saved(files_, first_path(container_id)));
  const std::string owner = first ? owner_of(*first) : std::string{};
  if (first && owner == ifname) return without_owner(*std::move(first));
  HOLDFAST_TRY(std::optional<SavedDelegate> further, read_saved(files_, further_path(container_id, ifname)));
  if (further) return without_owner(*std::move(further));
  if (first && owner.empty()) return without_owner(*std::move(first));
  return std::nullopt;
}

Status DelegateStore::drop_unfinished(std::string_view container_id, std::string_view ifname) {
  return files_.remove(unfinished_path(container_id, ifname));
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

#include "csi-nas/cluster/object_records.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/csi/answers.h"
#include "csi-nas/cluster/nas_names.h"

namespace holdfast::nas {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kForTheLoop{2};  // beyond the time that a request has
constexpr const char* kMostFound = "10";        // of one id there is one

kube::WatchOptions all_records() {
  kube::WatchOptions options{.resource = nas_volumes(), .kept = volume_object_fields()};
  options.restored_store_wait = kube::kConfirmAgain;
  return options;
}

// The object is not what it was when it was read.
bool is_other_now(Code code) {
  return code == Code::kAborted || code == Code::kAlreadyExists || code == Code::kNotFound;
}

// But for the state that it was read at.
bool same_content(NasRecord one, NasRecord other) {
  one.version.clear();
  other.version.clear();
  return one == other;
}

// One that cannot be read says nothing of its volume, which may be there: to be asked again, when it is
// mended.
Result<NasRecord> record_of(const JsonObject& object) {
  Result<VolumeObject> decoded = decode_volume_object(object);
  if (decoded) return std::move(decoded->record);
  return tl::unexpected(csi::may_be_left(std::move(decoded).error()));
}

tl::unexpected<Error> failed(Error error, const NasRecord& record) {
  return tl::unexpected(csi::may_be_left(std::move(error)).within("keep the record of " + record.name));
}

}  // namespace

ObjectRecords::ObjectRecords(const Context& context, std::chrono::milliseconds patience, std::uint64_t seed)
    : context_(context),
      patience_(patience),
      calls_(context.loop),
      cache_(decode_volume_object, {.changed = [this](const std::string& object) { heard(object); },
                                    .listed = [this] { known_ = true; },
                                    .trouble =
                                        [this](const Error& error) {
                                          context_.log.warning("NasVolumes", {{"why", error.message}});
                                        },
                                    .heard = {}}),
      watcher_(context.loop, context.http, all_records(), cache_, seed) {}

void ObjectRecords::heard(const std::string& object) {
  const VolumeObject* held = cache_.find(object);
  const std::lock_guard lock(mutex_);
  if (held == nullptr) {
    told_.erase(object);
  } else {
    told_.insert_or_assign(object, held->record);
  }
}

void ObjectRecords::forget(const kube::ObjectId& id) { cache_.removed(id); }

kube::CallOptions ObjectRecords::options() const {
  return {.kept = volume_object_fields(), .deadline = patience_};
}

Result<json> ObjectRecords::ask(const ObjectCalls::Begin& begin) const {
  return calls_.wait_for(patience_ + kForTheLoop, begin);
}

Result<std::optional<NasRecord>> ObjectRecords::read(const std::string& object) const {
  const Result<json> found = ask([this, object](kube::ObjectClient::Done done) {
    return context_.client.get(nas_volumes(), object, std::move(done), options());
  });
  if (!found && found.error().code == Code::kNotFound) return std::optional<NasRecord>{};
  if (!found) return tl::unexpected(csi::may_be_left(found.error()));
  HOLDFAST_TRY(NasRecord record, record_of(JsonObject(&*found, "NasVolume " + object)));
  return std::optional(std::move(record));
}

Result<std::optional<NasRecord>> ObjectRecords::by_name(const std::string& name, bool snapshot) const {
  HOLDFAST_TRY(std::optional<NasRecord> found, read(volume_object_name(name, snapshot)));
  if (found && (found->name != name || is_snapshot(*found) != snapshot)) found.reset();
  return found;
}

std::optional<std::string> ObjectRecords::object_of(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(told_, [&id](const auto& each) { return each.second.id == id; });
  return found == told_.end() ? std::nullopt : std::optional(found->first);
}

Result<std::optional<NasRecord>> ObjectRecords::by_id(const std::string& id) const {
  if (const std::optional<std::string> object = object_of(id)) {
    HOLDFAST_TRY(std::optional<NasRecord> found, read(*object));
    if (found && found->id == id) return found;
  }
  return search(id);
}

// A record of which the watch has not told, by its label.
Result<std::optional<NasRecord>> ObjectRecords::search(const std::string& id) const {
  const std::string path = nas_volumes().path() + "?limit=" + kMostFound +
                           "&labelSelector=" + kube::escape(std::string(kVolumeIdLabel) + "=" + label_of(id));
  const Result<json> found = ask([this, path](kube::ObjectClient::Done done) {
    return context_.client.get_document(path, std::move(done), {.kept = {}, .deadline = patience_});
  });
  // NOT_FOUND, too, says nothing of the record: the definition of NasVolumes is missing.
  if (!found) return tl::unexpected(csi::may_be_left(found.error()));
  HOLDFAST_TRY(const JsonObject list, JsonObject::of(*found));
  HOLDFAST_TRY(const std::vector<JsonField> items, list["items"].array_or_empty());
  for (const JsonField& item : items) {
    HOLDFAST_TRY(const JsonObject object, item.object());
    HOLDFAST_TRY(NasRecord record, record_of(object));
    if (record.id == id) return std::optional(std::move(record));
  }
  return std::optional<NasRecord>{};
}

Result<json> ObjectRecords::write(const NasRecord& record) {
  const json object = encode_volume_object(record);
  return ask([this, object, is_new = record.version.empty()](const kube::ObjectClient::Done& done) {
    const auto tell = [this, done](const Result<json>& kept) {
      if (kept) cache_.told(*kept);
      done(kept);
    };
    return is_new ? context_.client.create(nas_volumes(), object, tell, options())
                  : context_.client.update(nas_volumes(), object, tell, options());
  });
}

Status ObjectRecords::put(NasRecord& record) {
  const Result<json> kept = write(record);
  if (kept) {
    HOLDFAST_TRY(const kube::ObjectId id, kube::id_of(*kept));
    record.version = id.resource_version;
    return {};
  }
  if (!is_other_now(kept.error().code)) return failed(kept.error(), record);
  HOLDFAST_TRY(const std::optional<NasRecord> now,
               read(volume_object_name(record.name, is_snapshot(record))));
  if (now && same_content(*now, record)) {
    record.version = now->version;
    return {};
  }
  return failed({.code = Code::kAborted,
                 .sys_errno = 0,
                 .message = "another controller has written it meanwhile; ask again"},
                record);
}

Status ObjectRecords::remove(const NasRecord& record) {
  if (record.version.empty()) return {};  // it was never kept
  const std::string object = volume_object_name(record.name, is_snapshot(record));
  const json patch{{"metadata", {{"resourceVersion", record.version}, {"finalizers", nullptr}}}};
  const Result<json> freed = ask([this, object, patch](kube::ObjectClient::Done done) {
    return context_.client.merge(nas_volumes(), object, patch, std::move(done), options());
  });
  if (!freed && freed.error().code == Code::kNotFound) return {};
  if (!freed) return failed(freed.error(), record);
  HOLDFAST_TRY(const kube::ObjectId id, kube::id_of(*freed));
  const Result<json> removed = ask([this, object, id](const kube::ObjectClient::Done& done) {
    return context_.client.remove(
        nas_volumes(), object, id.uid,
        [this, id, done](const Result<json>& answer) {
          const bool gone = answer || is_other_now(answer.error().code);
          if (gone) forget(id);
          done(answer);
        },
        options());
  });
  if (removed || is_other_now(removed.error().code)) return {};
  return failed(removed.error(), record);
}

std::vector<NasRecord> ObjectRecords::list(bool snapshots) const {
  std::vector<NasRecord> out;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [object, record] : told_) {
      if (is_snapshot(record) == snapshots) out.push_back(record);
    }
  }
  std::ranges::sort(out, {}, &NasRecord::id);
  return out;
}

}  // namespace holdfast::nas

#include "csi-nas/controller/nas_volumes.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/text.h"
#include "common/csi/answers.h"
#include "csi-nas/controller/record_ids.h"
#include "csi-nas/controller/same_volume.h"
#include "csi-nas/volumes/share_path.h"

namespace holdfast::nas {
namespace {

constexpr std::size_t kShown = 200;

std::string shown(const std::string& text) { return "'" + printable(text, kShown) + "'"; }

// Whether nothing is left of a volume whose making failed so (ShareVolumes): after a system call's error
// something may be.
bool leaves_nothing(const Error& error) {
  const bool refused = error.code == Code::kInvalidArgument || error.code == Code::kAlreadyExists ||
                       error.code == Code::kNotFound || error.code == Code::kResourceExhausted ||
                       error.code == Code::kPermissionDenied || error.code == Code::kFailedPrecondition;
  return refused && error.sys_errno == 0;
}

std::string site_words(const std::string& site) {
  return site.empty() ? "no site" : "the site " + shown(site);
}

}  // namespace

NasVolumes::NasVolumes(NasRecords& records, ShareAccess& access, DirectoryWork& work, Clock& clock,
                       SiteWork* sites, CloudVolumes* cloud)
    : records_(records),
      access_(access),
      clock_(clock),
      sites_(sites),
      cloud_(cloud),
      directories_(records, access, work, clock, sites),
      places_(records, access) {}

Result<NasRecord> NasVolumes::create(const NewVolume& wanted, Patience patience) {
  HOLDFAST_TRY(std::optional<NasRecord> known, records_.by_name(wanted.name, false));
  if (known) {
    HOLDFAST_CHECK(check_same_volume(*known, wanted));
    if (known->deleting)
      return fail(Code::kAborted, "the volume " + shown(wanted.name) + " is being deleted");
    if (known->ready) return *std::move(known);
    if (is_of_cloud(known->kind)) return create_in_cloud(std::move(known), wanted, patience);
    return make(*std::move(known), wanted, patience);
  }
  HOLDFAST_CHECK(check_keys(wanted.parameters));
  HOLDFAST_TRY(const ClassParameters parameters, parse_class(wanted.parameters, wanted.mount_options));
  const VolumeAs what = parameters.volume_as;
  if (what == VolumeAs::kFilesystem || what == VolumeAs::kAccesspoint) {
    return create_in_cloud(std::nullopt, wanted, patience);
  }
  HOLDFAST_CHECK(check_site(parameters, wanted));
  HOLDFAST_TRY(NasRecord record, begin(wanted, parameters));
  return make(std::move(record), wanted, patience);
}

Status NasVolumes::check_site(const ClassParameters& parameters, const NewVolume& wanted) const {
  if (parameters.site.empty()) return {};
  if (sites_ == nullptr) {
    return fail(Code::kInvalidArgument, "the site " + parameters.site +
                                            " needs the nodes of a cluster: start csi-nas with --mode "
                                            "controller and --kubeconfig, or as a pod");
  }
  if (!wanted.pools || wanted.pools->contains(parameters.site)) return {};
  return fail(Code::kResourceExhausted,
              "the class's volumes are of the site " + parameters.site + ", where the pod is not to run");
}

Result<CloudVolumes*> NasVolumes::cloud() const {
  if (cloud_ != nullptr) return cloud_;
  return fail(Code::kInvalidArgument,
              "volumes of a cloud need its API, which this controller was not told: use volumeAs subpath");
}

Result<NasRecord> NasVolumes::create_in_cloud(std::optional<NasRecord> known, const NewVolume& wanted,
                                              Patience patience) {
  HOLDFAST_TRY(CloudVolumes* const volumes, cloud());
  HOLDFAST_TRY(const ClassParameters parameters, parse_class(wanted.parameters, wanted.mount_options));
  HOLDFAST_TRY(const CloudClass asked, volumes->parse(parameters.volume_as, wanted.parameters));
  if (wanted.source)
    return fail(Code::kInvalidArgument, "a cloud's file system is not made from a copy: use subpath");
  if (known) return volumes->create(*std::move(known), asked, wanted.limit_bytes, patience);
  NasRecord record;
  record.kind = kind_of(parameters.volume_as);
  record.id = wanted.name;
  record.name = wanted.name;
  record.attributes = mount_attributes(wanted.parameters, {});
  record.mount_options = wanted.mount_options;
  record.bytes = wanted.required_bytes;
  record.made = clock_.now().time_since_epoch().count();
  return volumes->create(std::move(record), asked, wanted.limit_bytes, patience);
}

// The record of a volume of which nothing is made.
Result<NasRecord> NasVolumes::begin(const NewVolume& wanted, const ClassParameters& parameters) {
  HOLDFAST_TRY(const NasShare share, choose(parameters, wanted));
  NasRecord record;
  record.kind = kind_of(parameters.volume_as);
  record.name = wanted.name;
  record.attributes = mount_attributes(wanted.parameters, share);
  record.mount_options = wanted.mount_options;
  record.on_delete = parameters.on_delete;
  record.site = parameters.site;
  record.bytes = wanted.required_bytes;
  record.made = clock_.now().time_since_epoch().count();
  if (wanted.source) {
    record.source = wanted.source->id;
    record.of_snapshot = wanted.source->snapshot;
    HOLDFAST_TRY(const NasRecord source, source_of(record));
    const bool whole = source.kind != NasRecord::Kind::kSubpath && source.kind != NasRecord::Kind::kSnapshot;
    if (record.kind == NasRecord::Kind::kSharepath || whole) {
      return fail(Code::kInvalidArgument,
                  "a whole share is neither copied nor made from a copy: use subpath");
    }
    if (record.bytes == 0) record.bytes = source.bytes;
    if (record.bytes < source.bytes) {
      return fail(Code::kOutOfRange, "the volume is smaller than what it is made from, " +
                                         std::to_string(source.bytes) + " bytes");
    }
    if (wanted.limit_bytes != 0 && record.bytes > wanted.limit_bytes) {
      return fail(Code::kOutOfRange, "what the volume is made from has " + std::to_string(source.bytes) +
                                         " bytes, more than the volume may have");
    }
  }
  if (record.kind == NasRecord::Kind::kSubpath) {
    HOLDFAST_TRY(const RelativePath directory,
                 expand_directory(parameters.sub_dir, read_names(wanted.parameters, wanted.name)));
    record.directory = directory.text();
    HOLDFAST_CHECK(clean_path(share.path + "/" + record.directory));  // as nodes read it
  }
  record.id = id_of(record, share);
  return record;
}

// A source's own share, else the next one whose server answers.
Result<NasShare> NasVolumes::choose(const ClassParameters& parameters, const NewVolume& wanted) {
  const std::vector<NasShare>& shares = parameters.source.shares;
  if (wanted.source) {
    HOLDFAST_TRY(const NasRecord source,
                 source_of(NasRecord{.source = wanted.source->id, .of_snapshot = wanted.source->snapshot}));
    HOLDFAST_TRY(const NasSource there, share_of(source));
    if (source.site != parameters.site) {
      return fail(Code::kInvalidArgument, "the source is of " + site_words(source.site) + ", the class of " +
                                              site_words(parameters.site));
    }
    if (std::ranges::find(shares, there.shares.front()) != shares.end()) return there.shares.front();
    return fail(Code::kInvalidArgument, "the source is on " + there.shares.front().source() +
                                            ", which is none of the class's servers");
  }
  const std::size_t turn = turn_++;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    NasSource one = parameters.source;
    one.shares = {shares[(turn + i) % shares.size()]};
    if (!parameters.site.empty() || access_.answers(one)) return std::move(one.shares.front());
  }
  return fail(Code::kUnavailable, "none of the class's servers answers: " + shares.front().source() +
                                      (shares.size() > 1 ? " and others" : ""));
}

Result<NasRecord> NasVolumes::make(NasRecord record, const NewVolume& wanted, Patience patience) {
  HOLDFAST_TRY(const PlacesTaken::Held place, places_.hold(record));
  if (record.kind == NasRecord::Kind::kSubpath) {
    HOLDFAST_TRY(const ClassParameters parameters, parse_class(wanted.parameters, wanted.mount_options));
    HOLDFAST_CHECK(copied_or_made(record, parameters.source.mode, patience));
  }
  HOLDFAST_CHECK(put_ready(record));
  return record;
}

// The directory is there: an error that ended the matter would leave it behind.
Status NasVolumes::put_ready(NasRecord& record) {
  record.ready = true;
  Status done = records_.put(record);
  if (!done) return tl::unexpected(csi::may_be_left(std::move(done).error()));
  return done;
}

Status NasVolumes::copied_or_made(NasRecord& record, std::optional<mode_t> mode, Patience patience) {
  std::optional<NasRecord> source;
  if (!record.source.empty()) {
    Result<NasRecord> found = source_of(record);
    if (!found && found.error().code == Code::kNotFound && !record.version.empty()) {
      HOLDFAST_CHECK(abandon(record, patience));
    }
    if (!found) return tl::unexpected(std::move(found).error());
    source = *std::move(found);
  }
  Status done = directories_.make(record, source, mode, patience);
  if (done || record.version.empty()) return done;  // nothing was begun
  if (!leaves_nothing(done.error())) return tl::unexpected(csi::may_be_left(std::move(done).error()));
  HOLDFAST_CHECK(records_.remove(record));
  return done;
}

Result<NasRecord> NasVolumes::snapshot(const std::string& name, const std::string& volume,
                                       Patience patience) {
  HOLDFAST_TRY(const std::optional<NasRecord> known, records_.by_name(name, true));
  if (known && known->source != volume) {
    return fail(Code::kAlreadyExists,
                "the snapshot " + shown(name) + " is of another volume, " + known->source);
  }
  if (known && known->deleting) {
    return fail(Code::kAborted, "the snapshot " + shown(name) + " is being deleted");
  }
  if (known && known->ready) return *known;
  Result<NasRecord> found = find(volume);
  // Nobody asks again for a snapshot of what is gone.
  if (!found && found.error().code == Code::kNotFound && known) HOLDFAST_CHECK(abandon(*known, patience));
  HOLDFAST_TRY(const NasRecord source, std::move(found));
  if (source.kind != NasRecord::Kind::kSubpath) {
    return fail(Code::kInvalidArgument, shown(volume) + " is a whole share: snapshots are of directories");
  }
  NasRecord record = known.value_or(source);
  if (!known) {
    HOLDFAST_TRY(const NasSource share, share_of(source));
    record.kind = NasRecord::Kind::kSnapshot;
    record.version.clear();
    record.name = name;
    record.directory = name;
    record.source = volume;
    record.of_snapshot = false;
    record.on_delete = OnDelete::kDelete;
    record.made = clock_.now().time_since_epoch().count();
    record.ready = false;
    record.id = id_of(record, share.shares.front());
  }
  HOLDFAST_CHECK(copied_or_made(record, std::nullopt, patience));
  HOLDFAST_CHECK(put_ready(record));
  return record;
}

Result<std::uint64_t> NasVolumes::extend(const std::string& id, std::uint64_t required_bytes,
                                         std::uint64_t limit_bytes) {
  HOLDFAST_TRY(NasRecord record, find(id));
  if (limit_bytes != 0 && record.bytes > limit_bytes) {
    return fail(Code::kOutOfRange, "the volume has " + std::to_string(record.bytes) + " bytes already");
  }
  if (required_bytes <= record.bytes) return record.bytes;
  if (is_of_cloud(record.kind)) {
    HOLDFAST_TRY(CloudVolumes* const volumes, cloud());
    return volumes->extend(std::move(record), required_bytes, limit_bytes, kAccessPatience + kWorkPatience);
  }
  record.bytes = required_bytes;
  HOLDFAST_CHECK(records_.put(record));
  return record.bytes;
}

Result<NasRecord> NasVolumes::find(const std::string& id) const {
  HOLDFAST_TRY(std::optional<NasRecord> record, records_.by_id(id));
  const bool there = record && record->ready && !record->deleting;
  if (there && record->kind != NasRecord::Kind::kSnapshot) return *std::move(record);
  return fail(Code::kNotFound, "there is no volume " + shown(id));
}

std::vector<NasRecord> NasVolumes::list(bool snapshots) const {
  std::vector<NasRecord> out = records_.list(snapshots);
  std::erase_if(out, [](const NasRecord& each) { return !each.ready || each.deleting; });
  return out;
}

std::vector<NasSource> NasVolumes::shares() const {
  std::set<std::pair<NasAttributes, std::vector<std::string>>> seen;
  std::vector<NasSource> out;
  for (const bool snapshots : {false, true}) {
    for (const NasRecord& each : records_.list(snapshots)) {
      if (is_of_cloud(each.kind)) continue;
      if (!each.site.empty() || !seen.emplace(each.attributes, each.mount_options).second) continue;
      if (Result<NasSource> source = share_of(each)) out.push_back(*std::move(source));
    }
  }
  return out;
}

Status NasVolumes::is_known() const {
  if (records_.is_known()) return {};
  return fail(Code::kUnavailable, "the cluster's NasVolumes have not been read");
}

std::string NasVolumes::ailment_of(const NasRecord& record) const {
  if (is_of_cloud(record.kind)) return "";  // in a network that need not be the controller's
  if (!record.site.empty()) return sites_ == nullptr ? "" : sites_->trouble(record.site);
  const Result<NasSource> source = share_of(record);
  if (!source || access_.answers(*source)) return "";
  return "the NFS server " + source->shares.front().host + " does not answer";
}

// What a volume is to be made from.
Result<NasRecord> NasVolumes::source_of(const NasRecord& record) const {
  HOLDFAST_TRY(std::optional<NasRecord> source, records_.by_id(record.source));
  const bool right = source && source->ready && !source->deleting &&
                     (source->kind == NasRecord::Kind::kSnapshot) == record.of_snapshot;
  if (right) return *std::move(source);
  return fail(Code::kNotFound,
              (record.of_snapshot ? "there is no snapshot " : "there is no volume ") + shown(record.source));
}

}  // namespace holdfast::nas

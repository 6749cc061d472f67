#include "csi-nas/controller/places_taken.h"

#include <utility>

#include "common/base/text.h"
#include "csi-nas/controller/record_ids.h"
#include "csi-nas/nfs/server_states.h"

namespace holdfast::nas {
namespace {

constexpr std::size_t kShown = 300;

std::string attribute(const NasRecord& record, const char* key) {
  const auto found = record.attributes.find(key);
  return found == record.attributes.end() ? "" : found->second;
}

// As all write it, without an IPv6 address's brackets.
std::string canonical_host(const std::string& server) {
  const std::string host = lower_case(server);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  return canonical_address(bracketed ? host.substr(1, host.size() - 2) : host);
}

bool is_in(const std::string& path, const std::string& folder) {
  return path == folder || path.starts_with(folder + "/");
}

}  // namespace

void PlacesTaken::Release::operator()(const Place* place) const noexcept {
  const std::lock_guard lock(places_->mutex_);
  places_->held_.remove_if([place](const Place& each) { return &each == place; });
}

PlacesTaken::Place PlacesTaken::place_of(const NasRecord& record) {
  const std::string path = attribute(record, "path");
  const bool share = record.kind == NasRecord::Kind::kSharepath;
  return {.volume = record.name,
          .site = record.site,
          .server = canonical_host(attribute(record, "server")),
          .path = (path == "/" ? "" : path) + (share ? "" : "/" + record.directory),
          .share = share};
}

std::string PlacesTaken::address_of(const NasRecord& record, std::chrono::milliseconds patience) const {
  if (!record.site.empty()) return "";
  const Result<NasSource> source = share_of(record);
  return source ? access_.address_of(*source, patience) : "";
}

bool PlacesTaken::overlap(const Place& one, const Place& other) {
  if (one.volume == other.volume || one.site != other.site) return false;
  return (!other.share && is_in(one.path, other.path)) || (!one.share && is_in(other.path, one.path));
}

bool PlacesTaken::are_of_one_server(const Place& one, const Place& other) {
  return one.server == other.server || (!one.address.empty() && one.address == other.address);
}

Result<PlacesTaken::Held> PlacesTaken::hold(const NasRecord& record) {
  Place wanted = place_of(record);
  wanted.address = address_of(record, kNamePatience);
  const auto refuse = [&wanted](const Place& other) {
    return fail(Code::kAlreadyExists,
                "the directory " + printable(wanted.path, kShown) + " would lie in that of the volume " +
                    printable(other.volume, kShown) + ", " + printable(other.path, kShown) +
                    ", or hold it: choose another subDir, or another share");
  };
  const std::lock_guard lock(mutex_);
  for (const Place& other : held_) {
    if (overlap(wanted, other) && are_of_one_server(wanted, other)) return refuse(other);
  }
  for (const NasRecord& each : records_.list(false)) {
    if (each.kind != NasRecord::Kind::kSubpath && each.kind != NasRecord::Kind::kSharepath) continue;
    Place other = place_of(each);
    if (!overlap(wanted, other)) continue;
    other.address = address_of(each, {});
    if (are_of_one_server(wanted, other)) return refuse(other);
  }
  held_.push_back(std::move(wanted));
  return Held(&held_.back(), Release(this));
}

}  // namespace holdfast::nas

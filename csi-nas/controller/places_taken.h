#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "common/base/result.h"
#include "csi-nas/controller/nas_records.h"
#include "csi-nas/controller/share_access.h"

namespace holdfast::nas {

/// Where volumes lie on their servers, so that none is made within another's directory, which is removed with
/// all that is in it: be it that a class's share lies in a volume of another class, be it that the volume is
/// a whole share (sharepath). A directory in a whole share is allowed. Claims (share_volumes.h) know of other
/// shares only what lies between the share and the directory. Servers are the same when they are called alike
/// or have one address; of sites, where names are their own, the former alone. Thread-safe.
class PlacesTaken {
 private:
  struct Place {
    std::string volume;  ///< its name
    std::string site;
    std::string server;        ///< as it is called
    std::string address = {};  ///< empty: not known
    std::string path;          ///< on the server, "/exports/pool/team-a/pvc-1"
    bool share = false;        ///< a whole one, which is never removed
  };
  class Release;

 public:
  /// A place that is kept for a volume of which there need be no record.
  using Held = std::unique_ptr<const Place, Release>;

  /// For how long a server's name is looked up that was not before.
  static constexpr std::chrono::milliseconds kNamePatience{1000};

  /// Both outlive it.
  PlacesTaken(const NasRecords& records, ShareAccess& access) : records_(records), access_(access) {}

  /// The place of a subpath or sharepath volume. Errors: kAlreadyExists when it lies in that of another
  /// volume, or the other way round.
  [[nodiscard]] Result<Held> hold(const NasRecord& record);

 private:
  class Release {
   public:
    explicit Release(PlacesTaken* places = nullptr) : places_(places) {}
    void operator()(const Place* place) const noexcept;

   private:
    PlacesTaken* places_;
  };
  [[nodiscard]] static Place place_of(const NasRecord& record);
  [[nodiscard]] std::string address_of(const NasRecord& record, std::chrono::milliseconds patience) const;
  /// Whether the removal of one would take along the other, if they are on one server.
  [[nodiscard]] static bool overlap(const Place& one, const Place& other);
  [[nodiscard]] static bool are_of_one_server(const Place& one, const Place& other);

  const NasRecords& records_;
  ShareAccess& access_;
  std::mutex mutex_;       // guards held_
  std::list<Place> held_;  // of calls that are under way
};

}  // namespace holdfast::nas

#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cni-flannel/plugin/json_part.h"
#include "cni-flannel/plugin/net_conf.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// Whether a change must survive a power cut before the call returns. The in-process chain has its durable
/// record in the binding log and needs the file here only for upstream to read; another delegate's DEL
/// depends on it.
enum class Durability : std::uint8_t { kLazy, kSynced };

/// A delegate configuration as it was saved at ADD.
struct SavedDelegate {
  std::filesystem::path path;
  cni::JsonPart conf;  ///< null when the file is empty, torn or too long
  std::string defect;  ///< why conf is null: for the log
};

/// The delegate configurations of the attachments that are up, for their DEL:
///
///     <dataDir>/                          0700
///       <container id>                    0600, JSON; the first attachment of the container, upstream's name
///       <container id>:<ifname>           0600, JSON; any further attachment
///       .new:<container id>:<ifname>      being written
///
/// Upstream has one file a container, so that two attachments overwrite each other, and never reads the
/// second kind. ':' and a leading '.' occur in no container id, so these names cannot meet. What we write has
/// a further member, "holdfast":{"ifname":"eth0"}, which tells whose the first file is; upstream and its
/// delegates skip it. A file of upstream has none and belongs to whichever attachment asks, as upstream takes
/// it.
class DelegateStore {
 public:
  /// `files` outlives the object.
  DelegateStore(Files& files, std::filesystem::path data_dir);

  /// Replaces what the attachment had. Afterwards the file is either old or new, whole.
  Status save(std::string_view container_id, std::string_view ifname, const cni::JsonPart& conf,
              Durability durability);
  /// What the attachment has, without our own member; nullopt when nothing was saved. A file that cannot be
  /// used is found all the same, so that DEL can go on without it and remove it.
  Result<std::optional<SavedDelegate>> load(std::string_view container_id, std::string_view ifname);
  /// Removes what a save of this attachment left when it was killed.
  Status drop_unfinished(std::string_view container_id, std::string_view ifname);
  /// To be called after the delegate's DEL has succeeded, never before (a retried DEL would find nothing and
  /// leak).
  Status remove(const SavedDelegate& saved, Durability durability);
  /// A saved configuration whose attachment is not among the valid ones.
  struct Stale {
    std::string container_id;
    std::string ifname;  ///< empty when upstream wrote the file
    SavedDelegate saved;
  };
  /// What GC has to take down for `network`: its saved configurations whose attachment is not among `valid`
  /// (of upstream's files: whose container is not). Files of other networks and ones that cannot be read are
  /// left out.
  Result<std::vector<Stale>> list_stale(const std::vector<cni::ValidAttachment>& valid,
                                        std::string_view network);

 private:
  [[nodiscard]] std::filesystem::path first_path(std::string_view container_id) const;
  [[nodiscard]] std::filesystem::path further_path(std::string_view container_id,
                                                   std::string_view ifname) const;
  [[nodiscard]] std::filesystem::path unfinished_path(std::string_view container_id,
                                                      std::string_view ifname) const;
  Status put_in_place(const std::filesystem::path& unfinished, std::string_view container_id,
                      std::string_view ifname);

  Files& files_;
  std::filesystem::path data_dir_;
};

}  // namespace holdfast::flannel

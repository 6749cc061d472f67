#include "csi-disk/volumes/node_attributes.h"

#include "common/block/mkfs_options.h"
#include "csi-disk/volumes/queue_settings.h"

namespace holdfast::disk {

Status check_for_node(const Parameters& for_node) {
  const std::string options = value_of(for_node, "mkfsOptions");
  HOLDFAST_TRY(const block::FsType type, block::parse_fs_type(value_of(for_node, "fsType")));
  const Status taken = block::check_mkfs_options(type, block::split_words(options));
  if (!taken) return refuse_parameter("mkfsOptions", options, "is not taken: " + taken.error().message);
  const std::string settings = value_of(for_node, "sysConfig");
  const auto parsed = parse_queue_settings(settings);
  if (!parsed) return refuse_parameter("sysConfig", settings, "is not taken: " + parsed.error().message);
  return {};
}

}  // namespace holdfast::disk

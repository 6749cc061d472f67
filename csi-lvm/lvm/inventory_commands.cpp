#include "csi-lvm/lvm/inventory.h"

// The words by which LVM is asked for what inventory_report.cpp reads.
namespace holdfast::lvm {
namespace {

constexpr const char* kMetadataColumns =
    "lv_name,lv_uuid,lv_layout,lv_size,lv_tags,pool_lv,origin,lv_health_status,lv_metadata_size";
// Of each LVM asks device-mapper.
constexpr const char* kDeviceColumns =
    "lv_attr,lv_active,lv_device_open,lv_snapshot_invalid,lv_suspended,lv_inactive_table,lv_kernel_major,"
    "lv_kernel_minor,data_percent,metadata_percent";

std::vector<std::string> report_words(const char* verb) {
  return {verb, "--reportformat", "json", "--units", "b", "--nosuffix", "--binary"};
}

std::string all_columns() { return std::string(kMetadataColumns) + "," + kDeviceColumns; }

// `volumes` are the columns of the table "lv".
std::vector<std::string> report_of_all(const std::string& volumes) {
  const auto table = [](const char* name, const std::string& columns) {
    return std::vector<std::string>{"--configreport", name, "-o", columns};
  };
  std::vector<std::string> words = report_words("fullreport");
  words.emplace_back("--all");
  for (const std::vector<std::string>& part : {
           table("vg", "vg_name,vg_uuid,vg_extent_size,vg_size,vg_free,vg_missing_pv_count,vg_seqno,vg_tags"),
           table("pv", "pv_name,pv_uuid,pv_size,pv_pe_count,pv_pe_alloc_count,pv_missing,pv_allocatable"),
           table("lv", volumes),
           table("seg", "lv_uuid,stripes"),
           table("pvseg", "pvseg_size"),
       }) {
    words.insert(words.end(), part.begin(), part.end());
  }
  return words;
}

}  // namespace

std::vector<std::string> volume_command(const std::string& volume) {
  std::vector<std::string> words = report_words("lvs");
  words.insert(words.end(), {"-o", all_columns() + ",stripes", volume});
  return words;
}

std::vector<std::string> segments_command(const std::string& volume) {
  std::vector<std::string> words = report_words("lvs");
  words.insert(words.end(), {"-o", "seg_size,seg_pe_ranges", "--sort", "seg_start", volume});
  return words;
}

std::vector<std::string> inventory_command() { return report_of_all(all_columns()); }

std::vector<std::string> metadata_command() { return report_of_all(kMetadataColumns); }

}  // namespace holdfast::lvm

#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/files.h"

namespace holdfast::flannel {

/// Ranges towards which pods keep their source address.
struct NoMasqueradeRanges {
  std::vector<Cidr> ranges;        ///< in order, each once, host bits cleared
  std::vector<std::string> notes;  ///< what could not be used, by file and line

  bool operator==(const NoMasqueradeRanges&) const = default;
};

/// One CIDR a line; empty lines, and what stands behind a '#', are skipped. `name` is for the notes.
[[nodiscard]] NoMasqueradeRanges parse_no_masquerade(std::string_view text, const std::string& name);

/// Of all files in `folder` (--no-masq-dir, where a gateway's helper writes) but those whose names begin with
/// a dot. No folder: no ranges.
[[nodiscard]] NoMasqueradeRanges read_no_masquerade(Files& files, const std::filesystem::path& folder);

}  // namespace holdfast::flannel

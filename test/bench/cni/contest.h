#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"
#include "test/bench/cni/elf_file.h"
#include "test/bench/cni/figures.h"
#include "test/bench/cni/fsync_floor.h"
#include "test/tools/cni_node.h"

namespace holdfast::bench {

struct Options {
  test::PluginSetup ours;
  test::PluginSetup peer;
  std::size_t pairs = 100;     ///< measured ADD + DEL of each side, after warm-up
  std::size_t storm = 64;      ///< sandboxes at once
  std::filesystem::path work;  ///< an empty folder on a disk
};

/// One verb of one plugin. CPU includes processes that the plugin left running.
struct VerbFigures {
  Figures wall;
  Figures cpu;
  std::uint64_t peak_rss_bytes = 0;
};

/// Many calls at once: each from its start to its end.
struct StormFigures {
  Figures add;
  Figures del;
};

struct SideFigures {
  VerbFigures add;
  VerbFigures del;
  StormFigures storm;
};

struct Check {
  std::string name;
  bool ok = false;
  std::string detail;
};

struct Outcome {
  SideFigures ours;
  SideFigures peer;
  Figures bare_delete;
  Figures version;  ///< ours, start to the end of VERSION
  Figures fsync_append;
  Figures fsync_replace;
  ElfFile binary;  ///< ours
  std::vector<Check> checks;
};

/// Measures everything, alternating between the sides. Both work in hosts of their own with the same
/// addresses; the calling process enters namespaces of its own for good. Errors: whatever keeps a measurement
/// from being made; a plugin that fails is an error.
Result<Outcome> run_contest(const Options& options);

}  // namespace holdfast::bench

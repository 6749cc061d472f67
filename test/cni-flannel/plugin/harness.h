#pragma once

#include <string>
#include <string_view>

#include "cni-flannel/plugin/plugin.h"

namespace holdfast::test {

/// The whole content of a file below test/fixtures. Ends the program when it cannot be read.
std::string fixture(std::string_view path);

/// How one run() ended and what it wrote.
struct Answer {
  int status = -1;
  std::string out;
  std::string err;
};

/// One call of the runtime, over real descriptors; with `out` as standard output, of which nothing is read,
/// instead of a file.
Answer call(cni::Plugin& plugin, const cni::Environment& env, std::string_view config, int out = -1);

/// A complete and correct environment for `command`.
cni::Environment environment(std::string_view command);

}  // namespace holdfast::test

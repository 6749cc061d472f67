#pragma once

#include "cni-flannel/plugin/environment.h"
#include "cni-flannel/plugin/plugin.h"

namespace holdfast::cni {

/// Descriptors that run() reads and writes; borrowed.
struct Streams {
  int in = 0;
  int out = 1;
  int err = 2;
};

/// One call of the runtime: reads the configuration from `in` (VERSION reads nothing), runs the verb and
/// writes its answer to `out`: for ADD the result in the configuration's version, for VERSION the versions,
/// for the others nothing; or the error object. Returns the exit status: 0, or 1 when an error was written or
/// the answer could not be: that is told on `err`, and an ADD of which the runtime has no result is undone by
/// the plugin's DEL. Without CNI_COMMAND a person called: it writes the versions and the about text to `err`
/// and returns 0. Catches every exception (code 999).
int run(Plugin& plugin, const Environment& env, const Streams& streams = {});

}  // namespace holdfast::cni

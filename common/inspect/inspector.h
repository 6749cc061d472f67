#pragma once

#include <string>
#include <vector>

#include "common/base/flags.h"
#include "common/inspect/finding.h"

namespace holdfast {

/// What `holdfast explain` says of one subject.
struct Explanation {
  std::string text = {};  ///< lines; empty: nothing is known of it here
  bool well = true;       ///< all that there is, is as wanted
};

/// A component's part of what `holdfast` says of a node. Changes nothing.
class Inspector {
 public:
  virtual ~Inspector() = default;

  /// Adds the flags that tell where its files are; what they set is the inspector's.
  virtual void add_flags(Flags& flags) = 0;
  /// For `doctor`. What cannot be looked at is a finding too; nothing where its component is not in use.
  [[nodiscard]] virtual std::vector<Finding> examine() = 0;
  /// For `explain`.
  [[nodiscard]] virtual Explanation explain(const std::string& subject) = 0;
};

}  // namespace holdfast

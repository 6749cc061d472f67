#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/http/listen_address.h"
#include "common/inspect/page_reader.h"

/// What a daemon of this suite says of itself on its pages.
namespace holdfast {

/// Something that it tells to be other than it should.
struct UnmetCondition {
  std::string type;
  std::string why;  ///< with the cure
  bool ready_all_the_same = false;

  bool operator==(const UnmetCondition&) const = default;
};

struct ConditionPage {
  std::string silence = {};  ///< why it could not be asked; empty: it was
  bool ready = false;
  std::vector<UnmetCondition> unmet = {};
};

/// Those lines of /readyz?verbose that begin with "[-]". Others are skipped.
[[nodiscard]] std::vector<UnmetCondition> parse_unmet(std::string_view page);

/// A page of the daemon that serves `place`; waits for a second at most. One that serves all addresses is
/// asked by loopback. Errors: read_page()'s.
[[nodiscard]] Result<WebPage> ask_page(Clock& clock, const http::ListenAddress& place,
                                       const std::string& path);
/// How it fares, likewise.
[[nodiscard]] ConditionPage ask_conditions(Clock& clock, const http::ListenAddress& place);

/// Of a page of /metrics the samples `name{label="VALUE"} NUMBER`, by VALUE. Other lines are skipped, also
/// samples with several labels.
[[nodiscard]] std::map<std::string, double> labelled_samples(std::string_view page, std::string_view name);

}  // namespace holdfast

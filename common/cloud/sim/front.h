#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "common/base/clock.h"
#include "common/base/fd.h"
#include "common/base/files.h"
#include "common/base/state_file.h"
#include "common/cloud/credentials.h"
#include "common/cloud/sim/faults.h"
#include "common/cloud/sim/server.h"
#include "common/cloud/sim/verifier.h"

namespace holdfast::cloud::sim {

/// One call of a simulated cloud, its signature verified.
struct SimCall {
  Vendor vendor = Vendor::kAlibaba;
  std::string action;
  const nlohmann::json& parameters;  ///< an object; Alibaba's: texts alone, "Tag.1.Key"
};

using SimAnswer = tl::expected<nlohmann::json, Failure>;

/// What a cloud does. Its state is the JSON object that it is given: what it keeps elsewhere can be made anew
/// from that. A call that fails leaves the state as it was.
class SimService {
 public:
  SimService() = default;
  SimService(const SimService&) = delete;
  SimService& operator=(const SimService&) = delete;
  virtual ~SimService() = default;
  /// Before the first call, with the state that was kept. Errors: the service's own; nothing is served then.
  virtual Status begin(nlohmann::json& state);
  /// The members of the answer, without RequestId.
  virtual SimAnswer serve(const SimCall& call, nlohmann::json& state) = 0;
  /// Whether a call may change the state.
  [[nodiscard]] virtual bool changes(const SimCall& call) const = 0;
  /// What who tests with it has to say: the body of a POST to /sim/WHAT that Front does not know.
  virtual SimAnswer tell(std::string_view what, const nlohmann::json& body, nlohmann::json& state);
  /// The state is on disk, also over a loss of power: what it no longer tells of can be removed.
  virtual void kept(nlohmann::json& state);
};

/// A cloud's gateway in front of a SimService: signatures, ClientToken, faults, answers in the vendor's form,
/// and the state on disk: with it the answers to tokens, so that a call with one has its effect once, also
/// over a kill. Requests below /sim/ are not the cloud's but for who tests with it, and not signed:
///
///     POST /sim/faults    more of them, as parse_faults() takes them; an empty array takes all back
///     POST /sim/latency   {"milliseconds": 20}, of each call
///     GET  /sim/calls     how many there were, by action
///     GET  /sim/state     all that there is
///     POST /sim/...       as the service has it
///
/// Not thread-safe.
class Front {
 public:
  /// How many answers to tokens are kept.
  static constexpr std::size_t kTokensKept = 2000;

  /// Reads the state at `path`, whose folder is made; there is none at first, and what begin() made of it is
  /// kept at once. `path`.lock is held as long as it lives. All outlive it. Errors: those of reading and
  /// writing; kUnavailable while another one has this state; kDataLoss when what is there is damaged, or was
  /// at an earlier start and nothing is in its place; those of the service's begin().
  static Result<std::unique_ptr<Front>> open(Files& files, const std::filesystem::path& path,
                                             SimService& service, std::vector<Credentials> accounts,
                                             Clock& clock);
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;
  ~Front();

  [[nodiscard]] ServerReply handle(const ServerRequest& request);

  [[nodiscard]] Faults& faults() { return faults_; }
  [[nodiscard]] const std::map<std::string, std::uint64_t>& calls() const { return calls_; }
  /// Of the service.
  [[nodiscard]] const nlohmann::json& state() const;

 private:
  Front(Files& files, std::filesystem::path path, SimService& service, std::vector<Credentials> accounts,
        Clock& clock);
  [[nodiscard]] ServerReply handle_own(const ServerRequest& request);
  [[nodiscard]] ServerReply answer(Vendor vendor, const SimAnswer& answer);
  [[nodiscard]] SimAnswer effect(const SimCall& call);
  [[nodiscard]] SimAnswer first_effect(const SimCall& call, const std::string& token);
  [[nodiscard]] ServerReply told(const std::string& what, const nlohmann::json& body);
  [[nodiscard]] Status save();

  Files& files_;
  const std::filesystem::path path_;
  Fd lock_;
  SimService& service_;
  Verifier verifier_;
  Clock& clock_;
  Faults faults_;
  std::map<std::string, std::uint64_t> calls_;
  std::uint64_t requests_ = 0;
  // {"state": {...}, "tokens": [{"token", "of", "answer"}]}; "of" is a hash of what was asked for.
  std::unique_ptr<nlohmann::json> document_;
};

}  // namespace holdfast::cloud::sim

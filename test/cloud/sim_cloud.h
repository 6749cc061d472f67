#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/cloud/http_client.h"
#include "common/cloud/sim/front.h"

namespace holdfast::test {

/// The account that all simulated clouds of tests know.
[[nodiscard]] inline cloud::Credentials sim_account() { return {.id = "sim-id", .secret = "sim-secret"}; }

/// Credentials that are always the same.
class FixedCredentials final : public cloud::CredentialSource {
 public:
  explicit FixedCredentials(cloud::Credentials credentials = sim_account())
      : credentials_(std::move(credentials)) {}
  Result<cloud::Credentials> current() override { return credentials_; }
  void doubt() override { ++doubts; }
  int doubts = 0;

 private:
  cloud::Credentials credentials_;
};

/// A SimService behind its Front and a server on 127.0.0.1, on a thread of its own. Ends the program when it
/// cannot be set up.
class SimCloud {
 public:
  /// `service` outlives it. The state is kept at `state`.
  SimCloud(cloud::sim::SimService& service, const std::filesystem::path& state);
  SimCloud(const SimCloud&) = delete;
  SimCloud& operator=(const SimCloud&) = delete;
  ~SimCloud();

  [[nodiscard]] const std::string& url() const { return url_; }
  void add_fault(const cloud::sim::Fault& fault);
  void clear_faults();
  [[nodiscard]] nlohmann::json state();
  [[nodiscard]] std::map<std::string, std::uint64_t> calls();
  /// On the cloud's own thread, and waits for it.
  void with(const std::function<void(cloud::sim::Front&)>& what);
  /// Of the cloud: what it checks time stamps by.
  Clock& clock() { return clock_; }

 private:
  PosixFiles files_;
  SystemClock clock_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<cloud::sim::Front> front_;
  std::unique_ptr<cloud::sim::Server> server_;
  std::string url_;
  std::thread thread_;
};

/// Remembers nothing but names: the smallest cloud. Alibaba's CreateThing, DescribeThing, DeleteThing with
/// Name; Tencent's likewise.
class ThingService final : public cloud::sim::SimService {
 public:
  cloud::sim::SimAnswer serve(const cloud::sim::SimCall& call, nlohmann::json& state) override;
  [[nodiscard]] bool changes(const cloud::sim::SimCall& call) const override {
    return call.action != "DescribeThing";
  }
};

}  // namespace holdfast::test

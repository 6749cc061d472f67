#include "test/cloud/sim_cloud.h"

#include <future>

namespace holdfast::test {

using cloud::sim::Failure;
using cloud::sim::Front;
using cloud::sim::SimAnswer;

SimCloud::SimCloud(cloud::sim::SimService& service, const std::filesystem::path& state)
    : loop_(EventLoop::create(clock_).value()),
      front_(Front::open(files_, state, service, {sim_account()}, clock_).value()),
      server_(cloud::sim::Server::listen(
                  *loop_, clock_, 0,
                  [this](const cloud::sim::ServerRequest& request) { return front_->handle(request); })
                  .value()),
      url_(server_->url()),
      thread_([this] { static_cast<void>(loop_->run()); }) {}

SimCloud::~SimCloud() {
  loop_->post([this] { loop_->stop(); });
  thread_.join();
}

void SimCloud::with(const std::function<void(Front&)>& what) {
  std::promise<void> done;
  loop_->post([&] {
    what(*front_);
    done.set_value();
  });
  done.get_future().wait();
}

void SimCloud::add_fault(const cloud::sim::Fault& fault) {
  with([&](Front& front) { front.faults().add(fault); });
}

void SimCloud::clear_faults() {
  with([](Front& front) { front.faults().clear(); });
}

nlohmann::json SimCloud::state() {
  nlohmann::json out;
  with([&](Front& front) { out = front.state(); });
  return out;
}

std::map<std::string, std::uint64_t> SimCloud::calls() {
  std::map<std::string, std::uint64_t> out;
  with([&](Front& front) { out = front.calls(); });
  return out;
}

SimAnswer ThingService::serve(const cloud::sim::SimCall& call, nlohmann::json& state) {
  const std::string name = call.parameters.value("Name", "");
  if (call.action == "CreateThing") {
    const int count = state.value("count", 0) + 1;
    state["count"] = count;
    state["things"][name] = count;
    return nlohmann::json{{"Number", count}};
  }
  const bool known = state.contains("things") && state["things"].contains(name);
  constexpr int kNotFound = 404;
  if (!known) return tl::unexpected(Failure{kNotFound, "InvalidThing.NotFound", "The thing is not there."});
  if (call.action == "DeleteThing") {
    state["things"].erase(name);
    return nlohmann::json::object();
  }
  return nlohmann::json{{"Number", state["things"][name]}};
}

}  // namespace holdfast::test

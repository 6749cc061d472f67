#include "common/csi/driver_host.h"

#include <pthread.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <thread>

#include "common/csi/proto/csi.grpc.pb.h"
#include "test/catch.h"
#include "test/fakes/log_lines.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::csi {
namespace {

namespace fs = std::filesystem;

struct QuietNode final : NodeDriver {
  Status capabilities(const Call& /*call*/, const v1::NodeGetCapabilitiesRequest& /*request*/,
                      v1::NodeGetCapabilitiesResponse& /*response*/) override {
    return {};
  }
  Status info(const Call& /*call*/, const v1::NodeGetInfoRequest& /*request*/,
              v1::NodeGetInfoResponse& /*response*/) override {
    inside = true;
    inside.notify_all();
    go_on.wait(false);
    return {};
  }
  std::atomic<bool> inside{false};
  std::atomic<bool> go_on{true};
};

struct Story {
  Status prepared;
  ServedDriver served;
  std::atomic<int> ticks{0};
  std::atomic<bool> ready{true};
  EventLoop* loop = nullptr;
  bool ends = true;  // else it never says that it has ended
  std::atomic<bool> ended{false};
};

class ToldDriver final : public HostedDriver {
 public:
  explicit ToldDriver(Story& story) : story_(story) {}
  Status prepare() override { return story_.prepared; }
  [[nodiscard]] ServedDriver served() override { return story_.served; }
  [[nodiscard]] bool ready() const override { return story_.ready; }
  void tick() override { ++story_.ticks; }
  void end(const std::function<void()>& done) override {
    last_words_ = story_.loop->after({}, [this, done] {
      story_.ended = true;
      story_.ended.notify_all();
      if (story_.ends) done();
    });
  }

 private:
  Story& story_;
  EventLoop::Timer last_words_;
};

/// A program with one driver, and `user`, who calls it from another thread and then ends the program.
struct Program {
  Program() {
    story.served.profile.driver_name = "driver.example.com";
    story.served.socket = folder / "csi.sock";
    story.served.node = &node;
  }

  Status run(const std::function<void()>& user) {
    const pthread_t main_thread = ::pthread_self();
    std::thread thread;
    const auto make = [&](const HostContext& context) -> Result<std::vector<std::unique_ptr<HostedDriver>>> {
      if (fault) return tl::unexpected(*fault);
      std::vector<std::unique_ptr<HostedDriver>> drivers;
      drivers.push_back(std::make_unique<ToldDriver>(story));
      EventLoop& loop = context.loop;
      story.loop = &loop;
      // Once the loop turns, so that its signals are its own.
      loop.post([&, main_thread] {
        thread = std::thread([&, main_thread] {
          user();
          // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread): blocked there, and read as an event
          if (user_ends) ::pthread_kill(main_thread, SIGTERM);
        });
      });
      return drivers;
    };
    HostSettings settings;
    settings.patience = patience;
    const Status ended = host_drivers(settings, make, log, [this](int status) {
      left = status;
      node.go_on = true;
      node.go_on.notify_all();
    });
    if (thread.joinable()) thread.join();
    return ended;
  }
  [[nodiscard]] std::shared_ptr<grpc::Channel> channel() const {
    return grpc::CreateChannel("unix:" + story.served.socket.native(), grpc::InsecureChannelCredentials());
  }
  [[nodiscard]] bool ready() const {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    v1::ProbeResponse response;
    const grpc::Status done = v1::Identity::NewStub(channel())->Probe(&context, {}, &response);
    return done.ok() && response.ready().value();
  }

  holdfast::test::TemporaryFolder folder;
  holdfast::test::LogLines log;
  QuietNode node;
  Story story;
  std::optional<Error> fault;
  bool user_ends = true;  // else the program ends by itself
  std::chrono::milliseconds patience{20000};
  std::optional<int> left;
};

TEST_CASE("A program serves its drivers until it is told to end, and leaves no socket", "[csi]") {
  Program program;
  bool ready = false;
  CHECK(program.run([&] { ready = program.ready(); }).has_value());
  CHECK(ready);
  CHECK(program.story.ticks > 0);
  CHECK_FALSE(fs::exists(program.story.served.socket));
  CHECK_FALSE(program.left.has_value());
}

TEST_CASE("A driver is told of the end while the loop turns, and is not waited for twice", "[csi]") {
  Program program;
  SECTION("it ends") {
    CHECK(program.run([] {}).has_value());
  }
  SECTION("it does not, and the program is told again") {
    program.story.ends = false;
    const pthread_t main_thread = ::pthread_self();
    CHECK(program
              .run([&] {
                static_cast<void>(program.ready());
                ::pthread_kill(main_thread, SIGINT);
                program.story.ended.wait(false);
              })
              .has_value());
  }
  CHECK(program.story.ended);
  CHECK_FALSE(program.left.has_value());
}

TEST_CASE("A driver that is not ready says so, though its storage is there", "[csi]") {
  Program program;
  program.story.ready = false;
  bool ready = true;
  CHECK(program.run([&] { ready = program.ready(); }).has_value());
  CHECK_FALSE(ready);
}

TEST_CASE("A driver whose storage does not come answers calls, and that it is not ready", "[csi]") {
  Program program;
  program.story.prepared = fail(Code::kUnavailable, "no disks");
  bool ready = true;
  CHECK(program.run([&] { ready = program.ready(); }).has_value());
  CHECK_FALSE(ready);
  CHECK(program.log.count("no disks") == 1);
}

TEST_CASE("A call that hangs does not hold up the end of the program", "[csi]") {
  Program program;
  program.patience = std::chrono::milliseconds(10);
  program.node.go_on = false;
  std::thread caller;
  CHECK(program
            .run([&] {
              caller = std::thread([&] {
                grpc::ClientContext context;
                context.set_wait_for_ready(true);
                v1::NodeGetInfoResponse response;
                static_cast<void>(v1::Node::NewStub(program.channel())->NodeGetInfo(&context, {}, &response));
              });
              program.node.inside.wait(false);
            })
            .has_value());
  caller.join();
  CHECK(program.left == 0);
  CHECK(program.log.count("NodeGetInfo") > 0);
}

TEST_CASE("A program without its drivers does not begin, and says why", "[csi]") {
  Program program;
  program.fault = Error{Code::kNotFound, 0, "there is no lvm"};
  CHECK(program.run([] {}).error().message == "there is no lvm");
  Program elsewhere;
  elsewhere.user_ends = false;
  elsewhere.story.served.socket = "/proc/none/csi.sock";
  CHECK_FALSE(elsewhere.run([] {}).has_value());
}

}  // namespace
}  // namespace holdfast::csi

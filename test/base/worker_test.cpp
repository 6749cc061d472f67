#include "common/base/worker.h"

#include <optional>
#include <thread>
#include <vector>

#include "test/catch.h"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

struct Program {
  SystemClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  std::optional<Worker> worker{*loop};
};

TEST_CASE_METHOD(Program, "A job runs beside the loop, and what comes after it on the loop", "[worker]") {
  std::thread::id job;
  std::thread::id done;
  worker->run([&] { job = std::this_thread::get_id(); },
              [&] {
                done = std::this_thread::get_id();
                loop->stop();
              });
  REQUIRE(loop->run().has_value());
  CHECK(job != std::this_thread::get_id());
  CHECK(done == std::this_thread::get_id());
}

TEST_CASE_METHOD(Program, "A job that blocks does not hold up the loop, and jobs keep their order",
                 "[worker]") {
  std::mutex gate;
  gate.lock();
  std::vector<int> order;
  worker->run([&] { const std::lock_guard wait(gate); }, [&] { order.push_back(1); });
  worker->run([] {},
              [&] {
                order.push_back(2);
                loop->stop();
              });
  EventLoop::Timer timer = loop->after(1ms, [&] {
    order.push_back(0);
    gate.unlock();
  });
  REQUIRE(loop->run().has_value());
  CHECK(order == std::vector<int>{0, 1, 2});
}

TEST_CASE_METHOD(Program, "Jobs that wait are done before the worker ends", "[worker]") {
  int jobs = 0;
  bool told = false;
  for (int i = 0; i < 3; ++i) worker->run([&] { ++jobs; }, [&] { told = true; });
  worker.reset();
  CHECK(jobs == 3);
  CHECK_FALSE(told);
}

}  // namespace
}  // namespace holdfast

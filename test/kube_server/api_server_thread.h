#pragma once

#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "test/kube_server/api_server.h"

namespace holdfast::test {

/// An ApiServer on a thread of its own.
class ApiServerThread {
 public:
  /// In the calling thread's network namespace.
  explicit ApiServerThread(const ListenAt& at = {});
  ApiServerThread(const ApiServerThread&) = delete;
  ApiServerThread& operator=(const ApiServerThread&) = delete;
  /// Ends all connections.
  ~ApiServerThread();

  [[nodiscard]] const std::string& url() const { return url_; }

  /// Runs `work` with the server on its thread, and hands back what it returns. What it throws (a failed
  /// REQUIRE) comes out here.
  template <class Work>
  auto with(Work work) -> std::invoke_result_t<Work, ApiServer&> {
    std::packaged_task<std::invoke_result_t<Work, ApiServer&>()> task(
        [this, &work] { return work(*server_); });
    auto outcome = task.get_future();
    loop_->post([&task] { task(); });
    return outcome.get();
  }

 private:
  SystemClock clock_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<ApiServer> server_;
  std::string url_;
  std::thread thread_;
};

}  // namespace holdfast::test

#include "test/kube_server/api_server_thread.h"

#include <exception>

namespace holdfast::test {

ApiServerThread::ApiServerThread(const ListenAt& at)
    : loop_(EventLoop::create(clock_).value()),
      server_(std::make_unique<ApiServer>(*loop_, at)),
      url_(server_->url()),
      thread_([this] {
        if (!loop_->run()) {
          std::terminate();
        }
      }) {}

ApiServerThread::~ApiServerThread() {
  loop_->post([this] { loop_->stop(); });
  thread_.join();
}

}  // namespace holdfast::test

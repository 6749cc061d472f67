#pragma once

#include <chrono>
#include <memory>

#include "common/base/event_loop.h"
#include "common/kube/http.h"
#include "test/kube_server/api_server.h"

namespace holdfast::test {

/// The way to an ApiServer without sockets, so that time may be a fake clock's: a request arrives `delay`
/// after its start and its answer `delay` later, or not at all. No watches.
class DirectHttp final : public kube::Http {
 public:
  DirectHttp(EventLoop& loop, ApiServer& server) : loop_(loop), server_(server) {}

  [[nodiscard]] std::unique_ptr<kube::HttpExchange> start(kube::HttpRequest request,
                                                          kube::HttpCallbacks callbacks) override;

  std::chrono::milliseconds delay{10};
  bool requests_lost = false;  ///< they never arrive, and end at their deadline
  bool answers_lost = false;   ///< what is asked for is done, and ends at its deadline

 private:
  class Exchange;
  EventLoop& loop_;
  ApiServer& server_;
};

}  // namespace holdfast::test

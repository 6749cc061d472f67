#include "test/kube_server/direct_http.h"

#include <utility>

namespace holdfast::test {

class DirectHttp::Exchange final : public kube::HttpExchange {
 public:
  Exchange(DirectHttp& way, kube::HttpRequest request, kube::HttpCallbacks callbacks)
      : way_(way), request_(std::move(request)), callbacks_(std::move(callbacks)) {
    end_ = way_.loop_.after(request_.deadlines.response,
                            [this] { end(fail(Code::kDeadlineExceeded, "no answer")); });
    next_ = way_.loop_.after(way_.delay, [this] { arrive(); });
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() override = default;

 private:
  void arrive() {
    if (way_.requests_lost) {
      return;
    }
    ServerRequest request = parse_request_head(request_.method + " " + request_.path + " HTTP/1.1");
    request.headers = {
        {"accept", request_.accept}, {"content-type", request_.content_type}, {"user-agent", "test"}};
    request.body = request_.body;
    if (!request_.audit_id.empty()) request.headers["audit-id"] = request_.audit_id;
    reply_ = way_.server_.reply_to(request);
    if (!way_.answers_lost) {
      next_ = way_.loop_.after(way_.delay, [this] { deliver(); });
    }
  }

  void deliver() {
    kube::HttpHead head;
    head.status = reply_.status;
    head.content_type = reply_.content_type;
    head.audit_id = request_.audit_id;
    callbacks_.head(head);
    end(callbacks_.body(reply_.body));
  }

  // The callback may destroy this.
  void end(Status how) {
    next_.end();
    end_.end();
    const auto callback = callbacks_.end;
    callback(std::move(how));
  }

  DirectHttp& way_;
  kube::HttpRequest request_;
  kube::HttpCallbacks callbacks_;
  Reply reply_;
  EventLoop::Timer next_;
  EventLoop::Timer end_;
};

std::unique_ptr<kube::HttpExchange> DirectHttp::start(kube::HttpRequest request,
                                                      kube::HttpCallbacks callbacks) {
  return std::make_unique<Exchange>(*this, std::move(request), std::move(callbacks));
}

}  // namespace holdfast::test

#include "common/kube/curl_http.h"

#include <cstdint>
#include <utility>

#include "common/kube/curl_engine.h"

namespace holdfast::kube {
namespace {

// What the caller holds of an exchange.
class Handle final : public HttpExchange {
 public:
  Handle(CurlEngine& engine, std::uint64_t id) : engine_(engine), id_(id) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() override { engine_.abandon(id_); }

 private:
  CurlEngine& engine_;
  std::uint64_t id_;
};

}  // namespace

Result<std::unique_ptr<CurlHttp>> CurlHttp::create(EventLoop& loop, const Config& config, Files& files,
                                                   Metrics& metrics, std::string user_agent) {
  auto engine = std::make_unique<CurlEngine>(loop, config, files, metrics, std::move(user_agent));
  HOLDFAST_CHECK(engine->set_up());
  return std::unique_ptr<CurlHttp>(new CurlHttp(std::move(engine)));
}

CurlHttp::CurlHttp(std::unique_ptr<CurlEngine> engine) : engine_(std::move(engine)) {}
CurlHttp::~CurlHttp() = default;

std::unique_ptr<HttpExchange> CurlHttp::start(HttpRequest request, HttpCallbacks callbacks) {
  return std::make_unique<Handle>(*engine_, engine_->add(std::move(request), std::move(callbacks)));
}

}  // namespace holdfast::kube

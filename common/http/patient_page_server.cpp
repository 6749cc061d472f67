#include "common/http/patient_page_server.h"

namespace holdfast::http {

void PatientPageServer::start() {
  if (where_.port == 0) return;
  Result<std::unique_ptr<PageServer>> server =
      PageServer::listen(loop_, where_.address, where_.port, handler_);
  if (server) {
    server_ = *std::move(server);
    return;
  }
  if (!std::exchange(told_, true)) {
    log_.warning("no health pages and metrics yet; see who has the port (ss -ltnp), or tell another one",
                 {{"flags", flags_}, {"error", server.error().message}});
  }
  next_ = loop_.after(kAgain, [this] { start(); });
}

}  // namespace holdfast::http

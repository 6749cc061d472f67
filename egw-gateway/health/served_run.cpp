#include "egw-gateway/health/served_run.h"

#include "common/base/flags.h"
#include "common/base/service_manager.h"
#include "common/http/patient_page_server.h"
#include "egw-gateway/health/health_pages.h"

namespace holdfast::gateway {

Status run_served(EventLoop& loop, Logger& log, const ServedProgram& program,
                  const std::function<Status()>& start) {
  http::PatientPageServer server(
      loop, program.healthz,
      [&program](const http::RequestHead& head) {
        return health_page(head, program.name, program.running, program.health, program.metrics);
      },
      log, "--healthz");
  server.start();
  HOLDFAST_CHECK(start());
  ServiceManager manager(environment_variable("NOTIFY_SOCKET").value_or(""));
  manager.ready();
  HOLDFAST_CHECK(loop.run());
  manager.stopping();
  return {};
}

}  // namespace holdfast::gateway

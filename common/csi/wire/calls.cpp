#include "common/csi/wire/calls.h"

#include <cctype>
#include <exception>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <utility>

#include "common/csi/answers.h"
#include "common/csi/wire/redaction.h"
#include "common/csi/wire/text_checks.h"

namespace holdfast::csi {
namespace {

namespace pb = google::protobuf;

/// Those of the public library, and below them what is promised of calls that touch no disk.
const std::vector<double>& bounds_seconds() {
  static const std::vector<double> seconds = {.002, .02, .06, .1, .25, .5,  1,   2.5,
                                              5,    10,  15,  25, 50,  120, 300, 600};
  return seconds;
}

/// "INVALID_ARGUMENT" as Go spells it, "InvalidArgument".
std::string go_name(const Status& done) {
  if (done) return "OK";
  if (done.error().code == Code::kCancelled) return "Canceled";
  std::string out;
  bool begins = true;
  for (const char c : to_string(done.error().code)) {
    if (c != '_') {
      out += begins ? c : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    begins = c == '_';
  }
  return out;
}

/// "/csi.v1.Node/NodeStageVolume". A request does not know the service that takes it, its file does.
std::string full_name(const pb::FileDescriptor& file, const Method& method) {
  std::string name(method.name);
  for (int i = 0; i < file.service_count(); ++i) {
    if (file.service(i)->FindMethodByName(name) != nullptr)
      return "/" + file.service(i)->full_name() + "/" + name;
  }
  return name;
}

std::string id_of(const pb::Message& request, const Method& method) {
  if (method.id_field.empty()) return {};
  const pb::FieldDescriptor* field = request.GetDescriptor()->FindFieldByName(std::string(method.id_field));
  return request.GetReflection()->GetString(request, field);
}

LogLevel level_of(const Method& method, const Status& done) {
  if (done) return method.quiet ? LogLevel::kDebug : LogLevel::kInfo;
  const Code code = done.error().code;
  return code == Code::kInternal || code == Code::kDataLoss || code == Code::kUnknown ? LogLevel::kError
                                                                                      : LogLevel::kWarning;
}

}  // namespace

/// A call, from its beginning to its end.
class Calls::Running {
 public:
  Running(Calls& calls, const Method& method, const std::string& id) : calls_(calls) {
    const std::scoped_lock lock(calls_.mutex_);
    if (calls_.closed_) return;
    place_ = calls_.running_.emplace(&method, id);
    let_in_ = true;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    if (!let_in_) return;
    const std::scoped_lock lock(calls_.mutex_);
    calls_.running_.erase(place_);
    calls_.changed_.notify_all();
  }
  [[nodiscard]] bool let_in() const { return let_in_; }

 private:
  Calls& calls_;
  std::multimap<const Method*, std::string>::iterator place_;
  bool let_in_ = false;
};

Calls::Calls(const Context& context, std::string driver, const Validation& validation)
    : context_(context), driver_(std::move(driver)), validation_(validation) {}

Status Calls::run(const pb::Message& request, const Handler& handler) {
  const Method& method = method_of_request(request.GetDescriptor()->name());
  const std::chrono::nanoseconds begin = context_.clock.since_boot();
  const std::string id = id_of(request, method);
  const Running running(*this, method, id);
  Status done = running.let_in() ? checked(method, request, id, handler)
                                 : fail(Code::kUnavailable, "the program is ending; ask again");
  record(method, request, id, done, context_.clock.since_boot() - begin);
  return done;
}

Status Calls::checked(const Method& method, const pb::Message& request, const std::string& id,
                      const Handler& handler) {
  HOLDFAST_CHECK(validate(request, validation_));
  VolumeHolds::Held held;
  if (method.holds != Holds::kNothing) {
    const auto kind =
        method.holds == Holds::kVolume ? VolumeHolds::Kind::kVolume : VolumeHolds::Kind::kSnapshot;
    HOLDFAST_TRY(held, context_.holds.hold(kind, id, method.name));
  }
  std::string what = "an unknown exception";
  try {
    return handler();
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {  // NOLINT(bugprone-empty-catch): told below
  }
  Error error{Code::kInternal, 0, "a fault of the driver: " + what};
  return tl::unexpected(method.makes ? may_be_left(std::move(error)) : std::move(error));
}

void Calls::record(const Method& method, const pb::Message& request, const std::string& id,
                   const Status& done, std::chrono::nanoseconds duration) {
  histogram(request, method, done).observe(std::chrono::duration<double>(duration).count());
  const LogLevel level = level_of(method, done);
  if (!context_.log.wants(level)) return;
  context_.log.log(level, "call",
                   {{"driver", driver_},
                    {"method", method.name},
                    {"id", shown(id)},
                    {"code", done ? "OK" : to_string(done.error().code)},
                    {"ms", std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()},
                    {"error", done ? "" : done.error().message},
                    {"request", context_.log.wants(LogLevel::kDebug) ? loggable(request) : ""}});
}

Histogram& Calls::histogram(const pb::Message& request, const Method& method, const Status& done) {
  return context_.metrics.histogram("csi_plugin_operations_seconds", "Duration of calls, by method and code.",
                                    bounds_seconds(),
                                    {{"driver_name", driver_},
                                     {"method_name", full_name(*request.GetDescriptor()->file(), method)},
                                     {"grpc_status_code", go_name(done)}});
}

void Calls::close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
}

std::vector<std::string> Calls::wait_until_idle(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return running_.empty(); });
  std::vector<std::string> out;
  for (const auto& [method, id] : running_) out.push_back(std::string(method->name) + " " + shown(id));
  return out;
}

}  // namespace holdfast::csi

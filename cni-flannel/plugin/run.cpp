#include "cni-flannel/plugin/run.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::cni {
namespace {

/// How long the runtime may leave us waiting for the rest of the configuration.
constexpr int kInputPatienceMs = 30'000;

/// Errors: kIo; kInvalidConfig when it is longer than kMaxConfigBytes.
CniResult<std::string> read_config(int fd) {
  std::string text;
  std::array<char, 16384> buffer{};
  while (true) {
    pollfd waiting{fd, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, kInputPatienceMs);
    if (ready == 0) {
      return cni_fail(CniCode::kIo,
                      "reading the configuration from stdin: nothing came for 30 s, and no end");
    }
    const ssize_t got = ready < 0 ? -1 : ::read(fd, buffer.data(), buffer.size());
    if (got < 0) {
      if (errno == EINTR) continue;
      return to_cni(Result<std::string>(fail_errno(errno, "reading the configuration from stdin")),
                    CniCode::kIo);
    }
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > kMaxConfigBytes) {
      return cni_fail(CniCode::kInvalidConfig, "the configuration on stdin is longer than " +
                                                   std::to_string(kMaxConfigBytes) + " bytes");
    }
  }
}

/// 0, or the errno.
int write_text(int fd, std::string_view text) {
  std::size_t written = 0;
  return write_all(fd, text, written);
}
int write_line(int fd, std::string text) { return write_text(fd, text += '\n'); }

/// The about text, with the versions after its first line.
std::string for_people(const Plugin& plugin) {
  std::string text = plugin.about();
  text.insert(text.find('\n') + 1, "CNI protocol versions supported: " + list_versions() + "\n");
  return text;
}

CniResult<Request> make_request(Verb verb, const Environment& env, std::string_view config) {
  Request request;
  request.verb = verb;
  request.env = env;
  HOLDFAST_TRY(request.conf, parse_net_conf(config));
  const SpecVersion needed = first_version_with(verb);
  if (request.conf.version < needed) {
    return cni_fail(CniCode::kIncompatibleVersion,
                    "config version does not allow " + std::string(to_string(verb)),
                    "cniVersion is " + std::string(to_string(request.conf.version)) + ", " +
                        std::string(to_string(verb)) + " needs " + std::string(to_string(needed)));
  }
  if (verb == Verb::kAdd || verb == Verb::kDel || verb == Verb::kCheck) {
    HOLDFAST_TRY(request.args, parse_cni_args(env.args));
  }
  return request;
}

/// The text to print, empty for none.
CniResult<std::string> answer(Plugin& plugin, const Request& request) {
  CniStatus done;
  switch (request.verb) {
    case Verb::kAdd: {
      HOLDFAST_TRY(const AddResult result, plugin.add(request));
      return to_json(result, request.conf.version);
    }
    case Verb::kDel:
      done = plugin.del(request);
      break;
    case Verb::kCheck:
      done = plugin.check(request);
      break;
    case Verb::kGc:
      done = plugin.gc(request);
      break;
    case Verb::kStatus:
      done = plugin.status(request);
      break;
    case Verb::kVersion:
      return version_answer();
  }
  HOLDFAST_CHECK(std::move(done));
  return std::string{};
}

/// What is known of the call so far: an error is told in the configuration's version as soon as there is one.
struct Call {
  SpecVersion version = kNewestVersion;
  std::optional<Request> request;
};

CniResult<std::string> serve(Plugin& plugin, const Environment& env, int in, Call& call) {
  HOLDFAST_TRY(const Verb verb, validate(env));
  if (verb == Verb::kVersion) return version_answer();
  HOLDFAST_TRY(const std::string config, read_config(in));
  HOLDFAST_TRY(call.request, make_request(verb, env, config));
  call.version = call.request->conf.version;
  return answer(plugin, *call.request);
}

template <class F>
std::invoke_result_t<F> without_exceptions(F work) {
  try {
    return work();
  } catch (const std::exception& error) {
    return cni_fail(CniCode::kInternal, std::string("internal error: ") + error.what());
  } catch (...) {
    return cni_fail(CniCode::kInternal, "internal error: exception of unknown type");
  }
}

/// The runtime has no result of an ADD, so it may never ask for the DEL.
void undo_unheard(Plugin& plugin, const Call& call, int err) {
  if (!call.request || call.request->verb != Verb::kAdd) return;
  const CniStatus undone = without_exceptions([&] { return plugin.del(*call.request); });
  const std::string outcome =
      undone ? "what ADD made is taken down again"
             : "what ADD made cannot be taken down, DEL has to do it: " + undone.error().msg;
  static_cast<void>(write_line(err, outcome));
}

}  // namespace

int run(Plugin& plugin, const Environment& env, const Streams& streams) {
  if (env.command.empty()) {
    return write_text(streams.err, for_people(plugin)) == 0 ? 0 : 1;
  }
  Call call;
  CniResult<std::string> text = without_exceptions([&] { return serve(plugin, env, streams.in, call); });
  const std::string printed = text ? *text : to_json(text.error(), to_string(call.version));
  const int refused = printed.empty() ? 0 : write_line(streams.out, printed);
  if (refused != 0) {
    const Error error = fail_errno(refused, "writing the answer to standard output").value();
    static_cast<void>(write_line(streams.err, error.message));
    if (text) undo_unheard(plugin, call, streams.err);
  }
  return text && refused == 0 ? 0 : 1;
}

}  // namespace holdfast::cni

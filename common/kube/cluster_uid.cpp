#include "common/kube/cluster_uid.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "common/base/event_loop.h"
#include "common/base/state_file.h"
#include "common/kube/cluster_link.h"
#include "common/kube/object.h"

namespace holdfast::kube {
namespace {

constexpr StateKind kUidFile{.name = "cluster-uid", .version = 1};
constexpr std::size_t kMostUidBytes = 256;

Result<std::string> ask(const Config& config, const ClusterQuestion& question,
                        std::chrono::milliseconds patience) {
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(question.clock));
  HOLDFAST_TRY(const auto link,
               ClusterLink::connect(*loop, question.files, question.metrics, config, question.program));
  Result<std::string> uid =
      fail(Code::kUnavailable, "the API server at " + config.server + " does not tell which cluster this is");
  const ObjectClient::CallPtr call = read_cluster_uid(link->client(), [&](Result<std::string> told) {
    uid = std::move(told);
    loop->stop();
  });
  const EventLoop::Timer over = loop->after(patience, [&loop] { loop->stop(); });
  HOLDFAST_CHECK(loop->run());
  return uid;
}

}  // namespace

ObjectClient::CallPtr read_cluster_uid(ObjectClient& client, std::function<void(Result<std::string>)> done) {
  return client.get({.group = "", .version = "v1", .plural = "namespaces"}, "kube-system",
                    [done = std::move(done)](const Result<nlohmann::json>& read) {
                      if (!read) return done(tl::unexpected(read.error()));
                      const Result<ObjectId> id = id_of(*read);
                      if (id && !id->uid.empty()) return done(id->uid);
                      done(fail(Code::kDataLoss, "the namespace kube-system has no uid"));
                    },
                    {.kept = {}, .deadline = std::chrono::milliseconds(0)});
}

Result<std::string> kept_cluster_uid(Files& files, const std::filesystem::path& file, Logger& log) {
  HOLDFAST_TRY(const StateFile kept, read_state(files, file, kUidFile, kMostUidBytes));
  if (!kept.note.empty()) log.warning("the cluster's uid was lost and is asked for", {{"why", kept.note}});
  return kept.content.value_or("");
}

Status keep_cluster_uid(Files& files, const std::filesystem::path& file, const std::string& uid) {
  return write_state(files, file, kUidFile, uid);
}

Result<std::string> learn_cluster_uid(const Config& config, const ClusterQuestion& question) {
  HOLDFAST_TRY(std::string kept, kept_cluster_uid(question.files, question.file, question.log));
  Result<std::string> uid =
      ask(config, question, kept.empty() ? question.patience_without : question.patience_with_kept);
  if (!uid) {
    if (kept.empty()) return tl::unexpected(std::move(uid).error());
    question.log.warning("the cluster is the one of the last start, as far as is known",
                         {{"cluster", kept}, {"error", uid.error().message}});
    return kept;
  }
  if (*uid == kept) return uid;
  if (!kept.empty()) question.log.warning("this is another cluster now", {{"last", kept}, {"now", *uid}});
  // Where it cannot be kept it is asked for again at the next start.
  const Status done = keep_cluster_uid(question.files, question.file, *uid);
  if (!done) question.log.warning("the cluster's uid cannot be kept", {{"error", done.error().message}});
  return uid;
}

}  // namespace holdfast::kube

#include "common/kube/object_client.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "common/base/backoff.h"
#include "common/base/json.h"

namespace holdfast::kube {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kMetadataOnly =
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json";
constexpr int kFirstSuccess = 200;
constexpr int kAfterSuccess = 300;
constexpr int kUnauthorized = 401;
// As long as an API server works on a request.
constexpr milliseconds kLongestAttempt{60'000};
constexpr std::size_t kMaxAnswerBytes = std::size_t{2} << 20;  // etcd holds 1.5 MB

bool is_success(int status) { return status >= kFirstSuccess && status < kAfterSuccess; }

std::string text_at(const json& object, const char* pointer) {
  const json::json_pointer at(pointer);
  return object.contains(at) && object[at].is_string() ? object[at].get<std::string>() : "";
}

Result<json> object_of(const HttpHead& head, const std::string& body, const std::optional<KeptFields>& kept) {
  if (!is_success(head.status)) {
    return tl::unexpected(error_of_answer(head.status, body));
  }
  if (kept) {
    return parse_object(body, *kept);
  }
  auto document = parse_json(body, {.max_bytes = body.size()});
  if (!document) {
    return fail(Code::kDataLoss, document.error().message);
  }
  return document;
}

// For a server that is slow: what was given up was work for it, and asking again makes it slower. Zero, which
// is for ever, stays.
void lengthen(HttpDeadlines& deadlines) {
  for (milliseconds* each : {&deadlines.connect, &deadlines.response, &deadlines.silence, &deadlines.whole}) {
    *each = std::max(*each, std::min(2 * *each, kLongestAttempt));
  }
}

class CallInProgress final : public ObjectClient::Call {
 public:
  struct Plan {
    HttpRequest request;
    std::optional<KeptFields> kept;  // none: the whole document
    milliseconds deadline;
    bool once;
    bool conflict_is_final;
    ObjectClient::Done done;
  };

  CallInProgress(EventLoop& loop, Http& http, Plan plan, Backoff backoff)
      : loop_(loop), http_(http), plan_(std::move(plan)), backoff_(backoff) {
    next_ = loop_.after({}, [this] { attempt(); });
    if (plan_.deadline > milliseconds::zero()) {
      deadline_ = loop_.after(plan_.deadline, [this] { is_due(); });
    }
  }
  CallInProgress(const CallInProgress&) = delete;
  CallInProgress& operator=(const CallInProgress&) = delete;
  ~CallInProgress() override = default;

 private:
  // An answer that came while the loop was busy with something else is taken in this turn.
  void is_due() {
    deadline_ = loop_.after({}, [this] { finish(out_of_time()); });
  }

  void attempt() {
    head_ = {};
    body_.clear();
    exchange_ = http_.start(plan_.request, {.head = [this](const HttpHead& head) { head_ = head; },
                                            .body = [this](std::string_view bytes) { return take(bytes); },
                                            .end = [this](Status how) { ended(std::move(how)); }});
  }

  Status take(std::string_view bytes) {
    if (body_.size() + bytes.size() > kMaxAnswerBytes) {
      return fail(Code::kDataLoss, "the answer is longer than " + std::to_string(kMaxAnswerBytes) + " bytes");
    }
    body_ += bytes;
    return {};
  }

  void ended(Status how) {
    exchange_.reset();
    Result<json> outcome = how ? object_of(head_, body_, plan_.kept) : tl::unexpected(std::move(how).error());
    if (outcome || plan_.once || !is_worth_another(outcome.error())) {
      finish(std::move(outcome));
      return;
    }
    if (outcome.error().code == Code::kDeadlineExceeded) lengthen(plan_.request.deadlines);
    last_error_ = std::move(outcome).error().message;
    const std::chrono::nanoseconds asked_for = head_.retry_after.value_or(seconds::zero());
    next_ = loop_.after(asked_for + backoff_.next(), [this] { attempt(); });
  }

  [[nodiscard]] bool is_worth_another(const Error& error) const {
    switch (error.code) {
      case Code::kUnavailable:
      case Code::kDeadlineExceeded:
      case Code::kResourceExhausted:
      case Code::kDataLoss:
        return true;
      case Code::kAborted:
        return !plan_.conflict_is_final;
      default:
        return head_.status == 0 || head_.status == kUnauthorized;
    }
  }

  [[nodiscard]] Result<json> out_of_time() const {
    return fail(Code::kDeadlineExceeded, "not done after " + std::to_string(plan_.deadline.count()) + " ms" +
                                             (last_error_.empty() ? "" : "; " + last_error_));
  }

  // Nothing of this is touched after `done`, which may destroy it.
  void finish(Result<json> outcome) {
    exchange_.reset();
    next_.end();
    deadline_.end();
    if (!outcome) {
      const std::string path = plan_.request.path.substr(0, plan_.request.path.find('?'));
      outcome = tl::unexpected(std::move(outcome).error().within(plan_.request.method + " " + path));
    }
    const ObjectClient::Done done = std::move(plan_.done);
    done(std::move(outcome));
  }

  EventLoop& loop_;
  Http& http_;
  Plan plan_;
  Backoff backoff_;
  HttpHead head_;
  std::string body_;
  std::string last_error_;
  std::unique_ptr<HttpExchange> exchange_;
  EventLoop::Timer next_;
  EventLoop::Timer deadline_;
};

}  // namespace

ObjectClient::ObjectClient(EventLoop& loop, Http& http, ObjectClientOptions options, std::uint64_t seed)
    : loop_(loop), http_(http), options_(std::move(options)), seed_(seed) {}

ObjectClient::~ObjectClient() = default;

HttpRequest ObjectClient::request(std::string method, std::string path, const Resource& resource) const {
  return {.method = std::move(method),
          .path = std::move(path),
          .resource = resource.plural,
          .deadlines = options_.attempt};
}

ObjectClient::CallPtr ObjectClient::begin(HttpRequest request, CallOptions options, Done done,
                                          bool conflict_is_final) {
  const bool whole = request.resource.empty();
  if (options.metadata_only) {
    request.accept = kMetadataOnly;
  }
  return std::make_unique<CallInProgress>(
      loop_, http_,
      CallInProgress::Plan{.request = std::move(request),
                           .kept = whole ? std::nullopt : std::optional(std::move(options.kept)),
                           .deadline = options.deadline,
                           .once = options.once,
                           .conflict_is_final = conflict_is_final,
                           .done = std::move(done)},
      Backoff(options_.first_wait, options_.longest_wait, ++seed_));
}

ObjectClient::CallPtr ObjectClient::get(const Resource& resource, const std::string& name, Done done,
                                        CallOptions options) {
  return begin(request("GET", resource.path(name), resource), std::move(options), std::move(done));
}

ObjectClient::CallPtr ObjectClient::get_document(const std::string& path, Done done, CallOptions options) {
  return begin(request("GET", path, {}), std::move(options), std::move(done));
}

ObjectClient::CallPtr ObjectClient::create(const Resource& resource, const json& object, Done done,
                                           CallOptions options) {
  HttpRequest post = request("POST", resource.path(), resource);
  post.content_type = "application/json";
  post.body = dump_json(object);
  return begin(std::move(post), std::move(options), std::move(done), /*conflict_is_final=*/true);
}

ObjectClient::CallPtr ObjectClient::update(const Resource& resource, const json& object, Done done,
                                           CallOptions options) {
  HttpRequest put = request("PUT", resource.path(text_at(object, "/metadata/name")), resource);
  put.content_type = "application/json";
  put.body = dump_json(object);
  return begin(std::move(put), std::move(options), std::move(done), /*conflict_is_final=*/true);
}

ObjectClient::CallPtr ObjectClient::apply(const Resource& resource, const json& object, Done done,
                                          CallOptions options, const std::string& subresource) {
  const std::string name = text_at(object, "/metadata/name");
  HttpRequest apply = request(
      "PATCH",
      resource.path(name, subresource) + "?fieldManager=" + escape(options_.field_manager) + "&force=true",
      resource);
  apply.content_type = "application/apply-patch+yaml";  // of which JSON is a part
  apply.body = dump_json(object);
  return begin(std::move(apply), std::move(options), std::move(done));
}

ObjectClient::CallPtr ObjectClient::patch(const Resource& resource, const std::string& name,
                                          const std::string& type, const json& patch, Done done,
                                          CallOptions options, const std::string& subresource) {
  HttpRequest change = request("PATCH", resource.path(name, subresource), resource);
  change.content_type = type;
  change.body = dump_json(patch);
  return begin(std::move(change), std::move(options), std::move(done),
               !text_at(patch, "/metadata/resourceVersion").empty());
}

ObjectClient::CallPtr ObjectClient::merge(const Resource& resource, const std::string& name,
                                          const json& patch, Done done, CallOptions options,
                                          const std::string& subresource) {
  return this->patch(resource, name, "application/merge-patch+json", patch, std::move(done),
                     std::move(options), subresource);
}

ObjectClient::CallPtr ObjectClient::strategic_merge(const Resource& resource, const std::string& name,
                                                    const json& patch, Done done, CallOptions options,
                                                    const std::string& subresource) {
  return this->patch(resource, name, "application/strategic-merge-patch+json", patch, std::move(done),
                     std::move(options), subresource);
}

ObjectClient::CallPtr ObjectClient::remove(const Resource& resource, const std::string& name,
                                           const std::string& uid, Done done, CallOptions options) {
  HttpRequest remove = request("DELETE", resource.path(name), resource);
  if (!uid.empty()) {
    remove.content_type = "application/json";
    remove.body = dump_json({{"preconditions", {{"uid", uid}}}});
  }
  return begin(std::move(remove), std::move(options), std::move(done), /*conflict_is_final=*/!uid.empty());
}

}  // namespace holdfast::kube

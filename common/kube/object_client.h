#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/kube/http.h"
#include "common/kube/object.h"

namespace holdfast::kube {

struct ObjectClientOptions {
  std::string field_manager{};                ///< whose the fields are that apply() sets: "flanneld"
  std::chrono::milliseconds first_wait{500};  ///< bounds of the waits between attempts
  std::chrono::milliseconds longest_wait{30'000};
  HttpDeadlines attempt{.connect = std::chrono::milliseconds(5'000),
                        .response = std::chrono::milliseconds(10'000),
                        .silence = std::chrono::milliseconds(10'000),
                        .whole = std::chrono::milliseconds(20'000)};
};

/// How one call is made.
struct CallOptions {
  /// What of the answer's object is handed to `done`, beside what ObjectId holds.
  KeptFields kept{};
  /// From its start to its end, all attempts together; zero: attempts without end.
  std::chrono::milliseconds deadline{60'000};
  bool once = false;           ///< one attempt
  bool metadata_only = false;  ///< no more of the object is sent back: a Node is some 10 kB
};

/// Reads and writes of single objects. Nothing blocks: a call begins in the loop's next turn and ends with
/// `done`, from the loop.
///
/// Tried again, after a jittered wait that grows or the server's Retry-After when that is longer: what got no
/// whole answer, also from a server that cannot be verified, 401 (credentials are read again), 429, 5xx, and
/// a conflict unless the caller's object names the resourceVersion that it must replace. A write may
/// therefore have been done by an attempt whose answer was lost: applies and patches end the same, create()
/// then ends with kAlreadyExists, update() with kAborted and remove() with kNotFound. What follows an attempt
/// that was not answered in time has twice as long, up to a minute.
///
/// Errors: those of error_of_answer; kDeadlineExceeded, with what went wrong last.
class ObjectClient {
 public:
  using Done = std::function<void(Result<nlohmann::json>)>;

  /// A call on its way. Destroyed, also within its `done`: it is given up and calls nobody.
  class Call;
  using CallPtr = std::unique_ptr<Call>;

  /// `loop` and `http` outlive it, and it its calls. `seed`: another for every process.
  ObjectClient(EventLoop& loop, Http& http, ObjectClientOptions options, std::uint64_t seed);
  ObjectClient(const ObjectClient&) = delete;
  ObjectClient& operator=(const ObjectClient&) = delete;
  ~ObjectClient();

  [[nodiscard]] CallPtr get(const Resource& resource, const std::string& name, Done done,
                            CallOptions options = {});
  /// A document that is no object, like discovery's, whole.
  [[nodiscard]] CallPtr get_document(const std::string& path, Done done, CallOptions options = {});
  /// Its name is metadata.name. Errors: kAlreadyExists.
  [[nodiscard]] CallPtr create(const Resource& resource, const nlohmann::json& object, Done done,
                               CallOptions options = {});
  /// Replaces it. Errors: kAborted when metadata.resourceVersion is not that of the object any more.
  [[nodiscard]] CallPtr update(const Resource& resource, const nlohmann::json& object, Done done,
                               CallOptions options = {});
  /// Server-side apply, forced: makes the object when there is none; its fields are ours from then on, and
  /// those that we applied before and leave out now are gone.
  /// Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
  [[nodiscard]] CallPtr apply(const Resource& resource, const nlohmann::json& object, Done done,
                              CallOptions options = {}, const std::string& subresource = {});
  /// JSON merge patch (RFC 7386). With a metadata.resourceVersion in it: kAborted when it is another's now.
  [[nodiscard]] CallPtr merge(const Resource& resource, const std::string& name, const nlohmann::json& patch,
                              Done done, CallOptions options = {}, const std::string& subresource = {});
  /// Strategic merge patch, for built-in kinds: lists are merged by their elements' keys.
  [[nodiscard]] CallPtr strategic_merge(const Resource& resource, const std::string& name,
                                        const nlohmann::json& patch, Done done, CallOptions options = {},
                                        const std::string& subresource = {});
  /// `uid`: only this life of it, when not empty (kAborted for another). `done` gets what the server answers.
  [[nodiscard]] CallPtr remove(const Resource& resource, const std::string& name, const std::string& uid,
                               Done done, CallOptions options = {});

 private:
  [[nodiscard]] CallPtr begin(HttpRequest request, CallOptions options, Done done,
                              bool conflict_is_final = false);
  [[nodiscard]] HttpRequest request(std::string method, std::string path, const Resource& resource) const;
  [[nodiscard]] CallPtr patch(const Resource& resource, const std::string& name, const std::string& type,
                              const nlohmann::json& patch, Done done, CallOptions options,
                              const std::string& subresource);

  EventLoop& loop_;
  Http& http_;
  ObjectClientOptions options_;
  std::uint64_t seed_;
};

class ObjectClient::Call {
 public:
  Call() = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  virtual ~Call() = default;
};

}  // namespace holdfast::kube

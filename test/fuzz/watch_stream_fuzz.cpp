#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "common/base/json.h"
#include "common/kube/watcher.h"
#include "test/fakes/fake_clock.h"
#include "test/fuzz/fuzz_text.h"

namespace {

namespace kube = holdfast::kube;
using holdfast::Status;
using holdfast::fuzz::require;

// Keeps what the watcher asks for, to be answered by hand.
class HeldHttp final : public kube::Http {
 public:
  std::unique_ptr<kube::HttpExchange> start(kube::HttpRequest request,
                                            kube::HttpCallbacks callbacks) override {
    path = std::move(request.path);
    held = std::move(callbacks);
    return std::make_unique<kube::HttpExchange>();
  }
  std::string path;
  kube::HttpCallbacks held;
};

struct Diary final : kube::WatchConsumer {
  std::string text;
  std::string last_version;

  void list_begun() override { text += "begin\n"; }
  void put(const kube::ObjectId& id, const nlohmann::json& object) override {
    require(!id.name.empty() && object.is_object());
    text += "put " + id.name + holdfast::dump_json(object) + "\n";
  }
  void removed(const kube::ObjectId& id) override {
    require(!id.name.empty());
    text += "removed " + id.name + "\n";
  }
  void list_read() override { text += "read\n"; }
  void list_authoritative() override { text += "whole\n"; }
  void version(const std::string& version) override {
    require(kube::version_number(version).value_or(0) >= kube::version_number(last_version).value_or(0));
    last_version = version;
  }
  void trouble(const holdfast::Error& error) override {
    require(!error.message.empty());
    text += "trouble\n";
  }
};

// What a watcher says of an answer that comes in pieces of `size` bytes. `resume_from`: of a watch; empty: of
// a list.
std::string told(std::string_view answer, std::size_t size, const std::string& resume_from) {
  holdfast::test::FakeClock clock;
  const auto loop = holdfast::EventLoop::create(clock).value();
  HeldHttp http;
  Diary diary;
  kube::Watcher watcher(*loop, http,
                        {.resource = {.group = "g", .version = "v1", .plural = "things"},
                         .kept = {"spec", "metadata.annotations"},
                         .resume_from = resume_from,
                         .max_object_bytes = 4096},
                        diary, 1);
  watcher.start();
  require(loop->turn().has_value());
  const kube::HttpCallbacks callbacks = std::exchange(http.held, {});
  require(callbacks.head && callbacks.body && callbacks.end);
  callbacks.head({.status = 200});
  Status status;
  for (std::size_t at = 0; at < answer.size() && status; at += size) {
    status = callbacks.body(answer.substr(at, size));
  }
  callbacks.end(std::move(status));
  clock.advance(std::chrono::hours(2));
  require(loop->turn().has_value());
  require(!http.path.empty());  // it goes on, whatever came
  return diary.text;
}

}  // namespace

// A watcher survives every answer, to a watch and to a list, and tells the same however it is cut.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view answer = holdfast::fuzz::text_of(data, size).substr(1);
  const std::size_t piece = data[0] % 64 + 1;
  for (const char* resume_from : {"5", ""}) {
    require(told(answer, answer.size() + 1, resume_from) == told(answer, piece, resume_from));
  }
  return 0;
}

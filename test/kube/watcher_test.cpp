#include "common/kube/watcher.h"

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "common/kube/curl_http.h"
#include "test/catch.h"
#include "test/kube_server/http_server.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;
using test::Responder;
using test::ServerRequest;

std::string object(const std::string& name, int version) {
  return R"({"kind":"Thing","metadata":{"name":")" + name + R"(","uid":"u-)" + name +
         R"(","resourceVersion":")" + std::to_string(version) + R"("},"spec":{"v":)" +
         std::to_string(version) + "}}";
}
std::string event(const std::string& type, const std::string& name, int version) {
  return R"({"type":")" + type + R"(","object":)" + object(name, version) + "}\n";
}
std::string list(const std::string& items, int version, const std::string& more = "") {
  return R"({"kind":"ThingList","items":[)" + items + R"(],"metadata":{"resourceVersion":")" +
         std::to_string(version) + R"(","continue":")" + more + R"("}})";
}
const std::string kTooOld =
    R"({"type":"ERROR","object":{"kind":"Status","reason":"Expired","message":"too old","code":410}})"
    "\n";

// One answer of the server's script.
using Answer = std::function<void(Responder)>;
Answer whole(int status, std::string body, Responder::Headers headers = {}) {
  return [=](Responder responder) { responder.whole(status, body, headers); };
}
// A watch that stays open after these lines.
Answer stream(std::string lines) {
  return [=](Responder responder) {
    responder.begin(200);
    if (!lines.empty()) {
      responder.chunk(lines);
    }
  };
}
Answer ended_stream(std::string lines) {
  return [=](Responder responder) {
    stream(lines)(responder);
    responder.end();
  };
}
Answer dropped(std::string bytes) {
  return [=](Responder responder) {
    responder.raw(bytes);
    responder.drop();
  };
}

// Writes down what it is told, one word a call.
struct Diary final : WatchConsumer {
  std::string text;
  std::string resume;
  std::string last_trouble;

  void list_begun() override { text += "begin "; }
  void put(const ObjectId& id, const nlohmann::json& thing) override {
    text += id.name + "=" + dump_json(thing["spec"]["v"]) + " ";
  }
  void removed(const ObjectId& id) override { text += "-" + id.name + "/" + id.uid + " "; }
  void list_read() override { text += "read "; }
  void list_authoritative() override { text += "whole "; }
  void version(const std::string& version) override { resume = version; }
  void trouble(const Error& error) override {
    text += "trouble ";
    last_trouble = error.message;
  }
};

// A watcher of things and a server that answers by script; what comes after the script's end is left
// unanswered.
struct Scene {
  SystemClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  PosixFiles files;
  Metrics metrics;
  std::deque<Answer> script;
  std::vector<std::string> asked;      // "list", "list after X", "watch from V"
  std::vector<std::string> audit_ids;  // of the same requests; "": none was sent
  test::HttpServer server{*loop, [this](const ServerRequest& request, Responder responder) {
                            answer(request, std::move(responder));
                          }};
  std::unique_ptr<CurlHttp> http =
      CurlHttp::create(*loop, {.server = server.url()}, files, metrics, "test").value();
  Diary diary;
  WatchOptions options{.resource = {.group = "g", .version = "v1", .plural = "things"},
                       .kept = {"spec"},
                       .page_objects = 2,
                       .half_line = 50ms,
                       .first_wait = 1ms,
                       .longest_wait = 5ms};
  std::unique_ptr<Watcher> watcher;

  void answer(const ServerRequest& request, Responder responder) {
    const auto of = [&](const char* key) {
      const auto found = request.query.find(key);
      return found == request.query.end() ? std::string() : found->second;
    };
    const auto audit_id = request.headers.find("audit-id");
    audit_ids.push_back(audit_id == request.headers.end() ? "" : audit_id->second);
    asked.push_back(of("watch") == "true"    ? "watch from " + of("resourceVersion")
                    : of("continue").empty() ? "list"
                                             : "list after " + of("continue"));
    if (!script.empty()) {
      const Answer next = script.front();
      script.pop_front();
      next(std::move(responder));
    }
  }

  // Runs until the diary ends with `end` and the server was asked `count` times.
  void run(std::deque<Answer> answers, const std::string& end, std::size_t count) {
    script = std::move(answers);
    watcher = std::make_unique<Watcher>(*loop, *http, options, diary, 1);
    watcher->start();
    const auto limit = clock.since_boot() + 20s;
    while (!diary.text.ends_with(end) || asked.size() < count) {
      INFO(diary.text << "; asked " << asked.size() << " times, last trouble: " << diary.last_trouble);
      REQUIRE(clock.since_boot() < limit);
      REQUIRE(loop->turn(20ms));
    }
  }
};

TEST_CASE("pages at one version, then a watch from it, which makes the list authoritative", "[kube]") {
  Scene scene;
  scene.run(
      {whole(200, list(object("a", 1) + "," + object("b", 2), 7, "x&y")), whole(200, list(object("c", 3), 7)),
       stream(event("MODIFIED", "a", 8) + event("DELETED", "b", 9))},
      "-b/u-b ", 3);
  CHECK(scene.diary.text == "begin a=1 b=2 c=3 read a=8 whole -b/u-b ");
  CHECK(scene.asked == std::vector<std::string>{"list", "list after x&y", "watch from 7"});
  CHECK(scene.diary.resume == "9");
  CHECK(scene.watcher->watching());
  CHECK(scene.server.accepted == 1);
}

TEST_CASE("a list that does not end is given up, and begun anew after a wait", "[kube]") {
  Scene scene;
  SECTION("the same page again") {
    scene.run({whole(200, list(object("a", 1), 7, "x")), whole(200, list(object("b", 2), 7, "x")),
               whole(200, list(object("a", 1), 7)), stream("")},
              "read ", 4);
    CHECK(scene.asked == std::vector<std::string>{"list", "list after x", "list", "watch from 7"});
    CHECK(scene.diary.text == "begin a=1 b=2 trouble begin a=1 read ");
  }
  SECTION("another page each time") {
    std::deque<Answer> pages;
    for (int i = 0; i < 2000; ++i) pages.push_back(whole(200, list("", 7, std::to_string(i))));
    pages.push_back(whole(200, list("", 7)));
    pages.push_back(stream(""));
    scene.run(std::move(pages), "read ", 2002);
    CHECK(scene.diary.text == "begin trouble begin read ");
  }
  CHECK_THAT(scene.diary.last_trouble, Catch::Contains("does not come to its end"));
}

TEST_CASE("a server that lists well and refuses every watch is asked less and less often", "[kube]") {
  Scene scene;
  scene.options.first_wait = 16ms;
  scene.options.longest_wait = 10s;
  std::deque<Answer> rounds;
  constexpr int kRounds = 8;
  for (int i = 0; i < kRounds; ++i) {
    rounds.push_back(whole(200, list("", 7)));
    rounds.push_back(ended_stream(kTooOld));
  }
  const auto begun = scene.clock.since_boot();
  scene.run(std::move(rounds), "trouble ", 2 * kRounds);
  // full jitter: without growth all waits together could not be so long
  CHECK(scene.clock.since_boot() - begun > (kRounds - 1) * 16ms);
}

TEST_CASE("a bookmark makes a list authoritative and moves where a watch is resumed", "[kube]") {
  Scene scene;
  scene.run({whole(200, list("", 7)), ended_stream(event("BOOKMARK", "", 7)),
             ended_stream(event("BOOKMARK", "", 20))},
            "whole ", 4);
  CHECK(scene.diary.text == "begin read whole ");
  CHECK(scene.asked.back() == "watch from 20");
}

TEST_CASE("a list is not authoritative when its watch says nothing, or comes by another connection",
          "[kube]") {
  Scene scene;
  SECTION("nothing") { scene.run({whole(200, list("", 7)), stream("")}, "read ", 2); }
  SECTION("something older") {
    scene.run({whole(200, list("", 7)), stream(event("BOOKMARK", "", 6))}, "read ", 2);
  }
  SECTION("another connection") {
    scene.run({whole(200, list("", 7), {{"Connection", "close"}}), stream(event("ADDED", "a", 9))}, "a=9 ",
              2);
  }
  for (int i = 0; i < 5; ++i) {
    REQUIRE(scene.loop->turn(5ms));
  }
  CHECK(scene.diary.text.find("whole") == std::string::npos);
}

TEST_CASE("a list is whole at once when the server itself answered all of its pages", "[kube]") {
  Scene scene;
  scene.options.confirmed_by = ConfirmedBy::kServer;
  const auto page = [&](const std::string& body, bool from_server) -> Answer {
    return [&scene, body, from_server](Responder responder) {
      responder.whole(200, body, {{"audit-id", from_server ? scene.audit_ids.back() : "kept-by-a-cache"}});
    };
  };
  const auto [first, second] = GENERATE(table<bool, bool>({{true, true}, {false, true}, {true, false}}));
  CAPTURE(first, second);
  scene.run({page(list(object("a", 1), 7, "x"), first), page(list(object("b", 2), 7), second), stream("")},
            "", 3);
  for (int i = 0; i < 5; ++i) {
    REQUIRE(scene.loop->turn(5ms));
  }
  CHECK(scene.diary.text == (first && second ? "begin a=1 b=2 read whole " : "begin a=1 b=2 read "));
  CHECK(scene.audit_ids[0] != scene.audit_ids[1]);
  CHECK(scene.audit_ids[2].empty());
}

TEST_CASE("a list of a server that sends no Audit-ID back is confirmed by its watch", "[kube]") {
  Scene scene;
  scene.options.confirmed_by = ConfirmedBy::kServer;
  scene.run({whole(200, list("", 7)), stream(event("BOOKMARK", "", 7))}, "whole ", 2);
}

TEST_CASE("the server's own list of a restored store needs another one", "[kube]") {
  Scene scene;
  scene.options.confirmed_by = ConfirmedBy::kServer;
  scene.options.known_version = "9";
  scene.options.restored_store_wait = 30ms;
  const Answer older = [&scene](Responder responder) {
    responder.whole(200, list("", 7), {{"Audit-Id", scene.audit_ids.back()}});
  };
  scene.run({older, stream(""), older, stream("")}, "whole ", 4);
  CHECK(scene.diary.text == "begin read begin read whole ");
}

TEST_CASE("a list whose connection another request took is asked for again at once, and then after the wait",
          "[kube]") {
  const Responder::Headers close{{"Connection", "close"}};
  Scene scene;
  scene.options.moved_watch_wait = 1ms;
  SECTION("from the watch") {
    scene.run({whole(200, list("", 7), close), stream(""), whole(200, list("", 7)),
               stream(event("BOOKMARK", "", 7))},
              "whole ", 4);
    CHECK(scene.asked == std::vector<std::string>{"list", "watch from 7", "list", "watch from 7"});
  }
  SECTION("from the second page") {
    scene.run({whole(200, list("", 7, "x"), close), whole(200, list("", 7)), stream(""),
               whole(200, list("", 7)), stream(event("BOOKMARK", "", 7))},
              "whole ", 5);
  }
  SECTION("always") {
    scene.run({whole(200, list("", 7), close), stream(""), whole(200, list("", 7), close), stream("")},
              "read ", 4);
    for (int i = 0; i < 5; ++i) {
      REQUIRE(scene.loop->turn(5ms));
    }
    CHECK(scene.asked.size() == 4);
  }
}

TEST_CASE("the lists of twelve watches by one client are all confirmed", "[kube]") {
  SystemClock clock;
  const std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  test::HttpServer server(*loop, [](const ServerRequest& request, const Responder& responder) {
    const bool watches = request.query.contains("watch");
    (watches ? stream(event("BOOKMARK", "", 7)) : whole(200, list("", 7)))(responder);
  });
  PosixFiles files;
  Metrics metrics;
  const auto http = CurlHttp::create(*loop, {.server = server.url()}, files, metrics, "test").value();
  std::vector<Diary> diaries(12);
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (Diary& diary : diaries) {
    const std::string plural = "things" + std::to_string(watchers.size());
    const WatchOptions options{.resource = {.group = "g", .version = "v1", .plural = plural},
                               .half_line = 10s,
                               .first_wait = 1ms,
                               .longest_wait = 5ms};
    watchers.push_back(std::make_unique<Watcher>(*loop, *http, options, diary, 1));
    watchers.back()->start();
  }
  const auto limit = clock.since_boot() + 20s;
  while (!std::ranges::all_of(diaries, [](const Diary& each) { return each.text.ends_with("whole "); })) {
    REQUIRE(clock.since_boot() < limit);
    REQUIRE(loop->turn(20ms));
  }
}

TEST_CASE("a list that its watch did not confirm is asked for again after the wait", "[kube]") {
  Scene scene;
  scene.options.restored_store_wait = 30ms;
  scene.run({whole(200, list("", 7)), dropped(""), stream(""), whole(200, list("", 7)),
             stream(event("BOOKMARK", "", 7))},
            "whole ", 5);
  CHECK(scene.asked ==
        std::vector<std::string>{"list", "watch from 7", "watch from 7", "list", "watch from 7"});
}

TEST_CASE("a list that lies, breaks off or changes on the way is begun again", "[kube]") {
  const std::pair<const char*, Answer> cases[] = {
      {"not found, as a cache says that lost its content", whole(404, "404 page not found\n")},
      {"server error", whole(500, "{}")},
      {"too many", whole(429, "")},
      {"cut short",
       dropped("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"kind\":\"ThingList\",\"items\":[")},
      {"truncated JSON", whole(200, R"({"kind":"ThingList","items":[)")},
      {"broken object", whole(200, list("{\"metadata\":}", 7))},
      {"nameless object", whole(200, list("{\"metadata\":{}}", 7))},
      {"no list", whole(200, R"({"kind":"Status","metadata":{"resourceVersion":"7"}})")},
      {"no version", whole(200, list("", 0))},
      {"empty answer", whole(200, "")},
  };
  for (const auto& [name, first] : cases) {
    DYNAMIC_SECTION(name) {
      Scene scene;
      scene.run({first, whole(200, list(object("a", 1), 7)), stream(event("BOOKMARK", "", 7))}, "whole ", 3);
      CHECK(scene.diary.text == "begin trouble begin a=1 read whole ");
    }
  }
}

TEST_CASE("pages of different versions are no list", "[kube]") {
  Scene scene;
  scene.run({whole(200, list(object("a", 1), 7, "x")), whole(200, list(object("b", 1), 8)),
             whole(200, list(object("a", 1), 9)), stream("")},
            "read ", 4);
  CHECK(scene.diary.text == "begin a=1 b=1 trouble begin a=1 read ");
}

TEST_CASE("a version that is too old, as a status or as an event, leads to a new list", "[kube]") {
  Scene scene;
  scene.options.resume_from = "5";
  const std::string status = R"({"kind":"Status","reason":"Expired","message":"too old","code":410})";
  SECTION("status") { scene.run({whole(410, status), whole(200, list("", 7)), stream("")}, "read ", 3); }
  SECTION("event") { scene.run({stream(kTooOld), whole(200, list("", 7)), stream("")}, "read ", 3); }
  CHECK(scene.asked == std::vector<std::string>{"watch from 5", "list", "watch from 7"});
}

TEST_CASE("a watch that breaks is resumed from the last version, and never begins a list", "[kube]") {
  Scene scene;
  scene.options.resume_from = "5";
  const std::string half = event("MODIFIED", "b", 7).substr(0, 30);
  std::deque<Answer> answers{stream(event("MODIFIED", "a", 6) + half)};
  SECTION("half a line and no more") {}
  SECTION("connection refused work four times") {
    answers = {ended_stream(event("MODIFIED", "a", 6)), dropped(""), dropped(""), dropped(""), dropped("")};
  }
  SECTION("busy server") {
    answers = {ended_stream(event("MODIFIED", "a", 6)), whole(429, ""), whole(429, ""), whole(429, ""),
               whole(429, "")};
  }
  const std::size_t count = answers.size() + 1;
  answers.push_back(stream(event("MODIFIED", "b", 7)));
  scene.run(std::move(answers), "b=7 ", count);
  CHECK(scene.asked.front() == "watch from 5");
  CHECK(scene.asked.back() == "watch from 6");
  CHECK(scene.diary.text.find("begin") == std::string::npos);
}

TEST_CASE("three watches in a row that make no sense or are refused lead to a list", "[kube]") {
  Scene scene;
  scene.options.resume_from = "900";
  const std::string ahead =
      R"({"kind":"Status","reason":"Timeout","message":"Too large resource version","code":504})";
  scene.run(
      {whole(504, ahead), stream("{\"type\":\n"),
       stream("{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}\n"), whole(200, list("", 7)), stream("")},
      "read ", 5);
  CHECK(scene.asked[3] == "list");
}

TEST_CASE("after the store was restored a list counts when another has come after the wait", "[kube]") {
  Scene scene;
  scene.options.resume_from = "900";
  scene.options.restored_store_wait = 30ms;
  scene.run({stream(kTooOld), whole(200, list("", 7)), stream(event("BOOKMARK", "", 7)),
             whole(200, list("", 7)), stream(event("BOOKMARK", "", 7))},
            "whole ", 5);
  CHECK(scene.diary.text == "trouble begin read begin read whole ");
}

TEST_CASE("a first list is of a restored store, too, when a higher version is known of the cluster",
          "[kube]") {
  Scene scene;
  scene.options.known_version = "900";
  scene.options.restored_store_wait = 30ms;
  scene.run({whole(200, list("", 7)), stream(event("BOOKMARK", "", 7)), whole(200, list("", 7)),
             stream(event("BOOKMARK", "", 7))},
            "whole ", 4);
  CHECK(scene.diary.text == "begin read begin read whole ");
}

}  // namespace
}  // namespace holdfast::kube

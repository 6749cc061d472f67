#include "common/kube/curl_http.h"

#include <string>
#include <vector>

#include "common/base/state_file.h"
#include "test/fakes/temporary_folder.h"
#include "test/kube_server/api_server_thread.h"
#include "test/kube_server/http_scene.h"
#include "test/kube_server/http_server.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;
using test::Responder;
using test::ServerRequest;

using Answer = test::HttpScene::Answer;

// A client and a server on one event loop.
struct Pair : test::HttpScene {
  test::TemporaryFolder folder;
  std::vector<ServerRequest> requests;
  std::function<void(const ServerRequest&, Responder)> serve = [](const ServerRequest&, Responder responder) {
    responder.whole(200, "hello");
  };
  test::HttpServer server{*loop, [this](const ServerRequest& request, Responder responder) {
                            requests.push_back(request);
                            serve(request, std::move(responder));
                          }};
  Config config{.server = server.url()};

  void connect() { HttpScene::connect(config, "flanneld"); }
  std::unique_ptr<HttpExchange> start(HttpRequest request, Answer& answer) {
    connect_once();
    return HttpScene::start(std::move(request), answer);
  }
  Answer exchange(HttpRequest request) {
    connect_once();
    return ask(std::move(request));
  }
  void connect_once() {
    if (!http) {
      connect();
    }
  }
  Answer get(const std::string& path) { return exchange({.path = path}); }
};

TEST_CASE("an exchange sends what it is given and hands back head and body", "[kube]") {
  Pair pair;
  pair.config.token.bytes = "secret";
  const Answer answer = pair.exchange({.method = "PATCH",
                                       .path = "/api/v1/nodes/a?fieldManager=x",
                                       .content_type = "application/merge-patch+json",
                                       .body = "{}"});
  REQUIRE(answer.end->has_value());
  CHECK(answer.head.status == 200);
  CHECK(answer.body == "hello");
  REQUIRE(pair.requests.size() == 1);
  ServerRequest& request = pair.requests.front();
  CHECK(request.method == "PATCH");
  CHECK(request.path == "/api/v1/nodes/a");
  CHECK(request.query == std::map<std::string, std::string>{{"fieldManager", "x"}});
  CHECK(request.body == "{}");
  CHECK(request.headers["content-type"] == "application/merge-patch+json");
  CHECK(request.headers["accept"] == "application/json");
  CHECK(request.headers["accept-encoding"] == "gzip");
  CHECK(request.headers["user-agent"] == "flanneld");
  CHECK(request.headers["authorization"] == "Bearer secret");
}

TEST_CASE("a connection is known also to a server that answers before it is waited for", "[kube]") {
  test::ApiServerThread server;
  test::HttpScene scene;
  scene.connect({.server = server.url()});
  const auto first = scene.ask({.path = "/version"}).head.connection;
  CHECK(first != 0);
  for (int i = 0; i < 200; ++i) {
    REQUIRE(scene.ask({.path = "/version"}).head.connection == first);
  }
}

TEST_CASE("a connection is kept, and its number tells that it is the same", "[kube]") {
  Pair pair;
  const auto first = pair.get("/a").head.connection;
  CHECK(pair.get("/b").head.connection == first);
  CHECK(pair.server.accepted == 1);
  pair.server.drop_all();
  CHECK(pair.get("/c").head.connection != first);
  CHECK(pair.server.accepted == 2);
}

TEST_CASE("a status that tells a failure is an answer, with its Retry-After", "[kube]") {
  Pair pair;
  pair.serve = [](const ServerRequest& request, Responder responder) {
    responder.whole(429, "slow down", {{"Retry-After", request.path == "/long" ? "999999" : "7"}});
  };
  const Answer answer = pair.get("/");
  CHECK(answer.end->has_value());
  CHECK(answer.head.status == 429);
  CHECK(answer.head.retry_after == 7s);
  CHECK(answer.body == "slow down");
  CHECK(pair.get("/long").head.retry_after == 1h);
}

TEST_CASE("a body comes as it is sent, and bytes are counted as they come", "[kube]") {
  Pair pair;
  std::optional<Responder> responder;
  pair.serve = [&](const ServerRequest&, Responder given) {
    given.begin(200);
    given.chunk("one");
    responder = given;
  };
  Answer answer;
  auto exchange = pair.start({.path = "/", .resource = "nodes"}, answer);
  pair.turn_until([&] { return answer.body == "one"; });
  const double early =
      pair.metrics.counter("holdfast_api_bytes_total", "", {{"resource", "nodes"}, {"direction", "received"}})
          .value();
  CHECK(early > 3);
  responder->chunk("two");
  pair.turn_until([&] { return answer.body == "onetwo"; });
  responder->end();
  pair.turn_until([&] { return answer.end.has_value(); });
  CHECK(answer.end->has_value());
  const auto total = [&](const char* direction) {
    return pair.metrics
        .counter("holdfast_api_bytes_total", "", {{"resource", "nodes"}, {"direction", direction}})
        .value();
  };
  CHECK(total("sent") == Approx(static_cast<double>(pair.server.bytes_received)));
  CHECK(total("received") ==
        Approx(static_cast<double>(pair.server.bytes_sent)).margin(30));  // framing of the chunks
}

TEST_CASE("an answer that is cut short is an error, not a short body", "[kube]") {
  Pair pair;
  const std::pair<const char*, const char*> cases[] = {
      {"no answer", ""},
      {"half a head", "HTTP/1.1 200 OK\r\nContent-Len"},
      {"body shorter than its length", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"},
      {"chunks without their end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"},
      {"not HTTP", "SSH-2.0-OpenSSH\r\n\r\n"},
  };
  for (const auto& [name, bytes] : cases) {
    DYNAMIC_SECTION(name) {
      pair.serve = [text = std::string(bytes)](const ServerRequest&, Responder responder) {
        responder.raw(text);
        responder.drop();
      };
      const Answer answer = pair.get("/x?secret=1");
      REQUIRE_FALSE(answer.end->has_value());
      CHECK(answer.end->error().code == Code::kUnavailable);
      CHECK_THAT(answer.error(), Catch::StartsWith("GET " + pair.server.url() + "/x: "));
    }
  }
}

TEST_CASE("a server that goes quiet or trickles is given up at each deadline", "[kube]") {
  Pair pair;
  EventLoop::Timer trickle;
  std::function<void(Responder)> trickle_on = [&](Responder responder) {
    responder.raw("x");
    trickle = pair.loop->after(5ms, [&, responder] { trickle_on(responder); });
  };
  struct Case {
    const char* name;
    const char* begins;
    bool trickles;
    HttpDeadlines deadlines;
    const char* error;
  };
  const Case cases[] = {
      {"no answer", "", false, {.response = 30ms}, "no answer after 30 ms"},
      {"head trickles", "HTTP/1.1 200 O", true, {.response = 40ms}, "no answer after 40 ms"},
      {"body goes quiet",
       "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
       false,
       {.silence = 30ms},
       "no bytes after 30 ms"},
      {"body trickles",
       "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
       true,
       {.silence = 5s, .whole = 60ms},
       "not finished after 60 ms"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      pair.serve = [&](const ServerRequest&, Responder responder) {
        responder.raw(c.begins);
        if (c.trickles) {
          trickle_on(responder);
        }
      };
      const Answer answer = pair.exchange({.path = "/", .deadlines = c.deadlines});
      REQUIRE_FALSE(answer.end->has_value());
      CHECK(answer.end->error().code == Code::kDeadlineExceeded);
      CHECK_THAT(answer.error(), Catch::EndsWith(c.error));
    }
  }
}

TEST_CASE("nobody at the address is an error at once", "[kube]") {
  Pair pair;
  pair.config.server = "http://127.0.0.1:1";
  const Answer answer = pair.get("/");
  REQUIRE_FALSE(answer.end->has_value());
  CHECK(answer.end->error().code == Code::kUnavailable);
}

TEST_CASE("an exchange that is destroyed calls nobody any more, wherever it is destroyed", "[kube]") {
  Pair pair;
  pair.connect();
  int calls = 0;
  std::unique_ptr<HttpExchange> exchange;
  const auto count_and_end = [&] {
    ++calls;
    exchange.reset();
  };
  const HttpCallbacks all[] = {
      {.head = [&](const HttpHead&) { count_and_end(); },
       .body =
           [&](std::string_view) {
             ++calls;
             return Status{};
           },
       .end = [&](const Status&) { ++calls; }},
      {.body =
           [&](std::string_view) {
             count_and_end();
             return Status{};
           },
       .end = [&](const Status&) { ++calls; }},
      {.end = [&](const Status&) { count_and_end(); }},
  };
  for (const HttpCallbacks& callbacks : all) {
    exchange = pair.http->start({.path = "/"}, callbacks);
    pair.turn_until([&] { return exchange == nullptr; });
    REQUIRE(pair.loop->turn(20ms));
  }
  CHECK(calls == 3);
  exchange = pair.http->start({.path = "/"}, {.end = [&](const Status&) { ++calls; }});
  exchange.reset();
  REQUIRE(pair.loop->turn(20ms));
  CHECK(calls == 3);
}

TEST_CASE("a body that its taker refuses ends the exchange with the taker's error", "[kube]") {
  Pair pair;
  pair.connect();
  std::optional<Status> end;
  const auto exchange = pair.http->start(
      {.path = "/"}, {.body = [](std::string_view) { return Status(fail(Code::kDataLoss, "line too long")); },
                      .end = [&](Status how) { end = std::move(how); }});
  pair.turn_until([&] { return end.has_value(); });
  REQUIRE_FALSE(end->has_value());
  CHECK(end->error().message == "line too long");
}

TEST_CASE("a new exchange may be started from within each callback of another", "[kube]") {
  Pair pair;
  pair.connect();
  int ended = 0;
  std::vector<std::unique_ptr<HttpExchange>> exchanges;
  const auto another = [&] {
    exchanges.push_back(pair.http->start({.path = "/more"}, {.end = [&](const Status& how) {
                                           CHECK(how.has_value());
                                           ++ended;
                                         }}));
  };
  exchanges.push_back(pair.http->start({.path = "/"}, {.head = [&](const HttpHead&) { another(); },
                                                       .body =
                                                           [&](std::string_view) {
                                                             another();
                                                             return Status{};
                                                           },
                                                       .end = [&](const Status&) { another(); }}));
  pair.turn_until([&] { return ended == 3; });
}

TEST_CASE("a compressed body comes decompressed, and counts as what it was on the wire", "[kube]") {
  // printf '%05000d' 0 | gzip -9n
  static constexpr unsigned char kZeros[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xed,
                                             0xc1, 0x31, 0x01, 0x00, 0x00, 0x00, 0xc2, 0xa0, 0x4a, 0xeb, 0x9f,
                                             0xce, 0x14, 0x7e, 0x40, 0x01, 0x00, 0x00, 0x00, 0x00, 0x6f, 0x03,
                                             0x04, 0x3d, 0xfc, 0xa8, 0x88, 0x13, 0x00, 0x00};
  Pair pair;
  pair.serve = [](const ServerRequest&, Responder responder) {
    responder.whole(200, std::string(std::begin(kZeros), std::end(kZeros)), {{"Content-Encoding", "gzip"}});
  };
  CHECK(pair.get("/").body == std::string(5000, '0'));
  CHECK(pair.metrics.counter("holdfast_api_bytes_total", "", {{"resource", ""}, {"direction", "received"}})
            .value() == Approx(static_cast<double>(pair.server.bytes_sent)));
}

TEST_CASE("a token the server does not take is read again for the next exchange", "[kube]") {
  Pair pair;
  pair.config.token.file = pair.folder / "token";
  REQUIRE(replace_file(pair.files, pair.config.token.file, "old"));
  pair.serve = [&](const ServerRequest& request, Responder responder) {
    responder.whole(request.headers.at("authorization") == "Bearer new" ? 200 : 401, "");
  };
  CHECK(pair.get("/").head.status == 401);
  REQUIRE(replace_file(pair.files, pair.config.token.file, "new"));
  CHECK(pair.get("/").head.status == 200);
}

TEST_CASE("credentials that cannot be read are told as the exchange's end", "[kube]") {
  Pair pair;
  pair.config.token.file = pair.folder / "none";
  const Answer answer = pair.get("/");
  REQUIRE_FALSE(answer.end->has_value());
  CHECK_THAT(answer.error(), Catch::Contains((pair.folder / "none").string()));
}

TEST_CASE("a proxy gets the request with the server's whole address", "[kube]") {
  Pair pair;
  pair.config.proxy = pair.server.url();
  pair.config.server = "http://api.invalid:8080";
  CHECK(pair.get("/x").head.status == 200);
  CHECK(pair.requests.front().path == "http://api.invalid:8080/x");
}

TEST_CASE("a server on a socket of the file system is spoken to like any other", "[kube]") {
  Pair pair;
  const auto path = pair.folder / "api.sock";
  test::HttpServer server(*pair.loop,
                          [](const ServerRequest&, Responder responder) { responder.whole(200, "local"); },
                          {.unix_socket = path});
  pair.config = {.server = "http://localhost", .unix_socket = path};
  CHECK(pair.get("/").body == "local");
  CHECK(pair.get("/").head.connection != 0);
}

}  // namespace
}  // namespace holdfast::kube

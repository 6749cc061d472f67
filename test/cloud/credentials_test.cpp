#include "common/cloud/credentials.h"

#include <deque>
#include <fstream>
#include <map>

#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::cloud {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

void write(const std::filesystem::path& path, const std::string& text) { std::ofstream(path) << text; }

TEST_CASE("credentials are read in the forms of files and of both metadata services", "[cloud]") {
  struct Case {
    const char* name;
    const char* text;
    Credentials expected;
  };
  const std::chrono::sys_seconds end{seconds(1'551'113'065)};
  const Case cases[] = {
      {"a file", R"({"accessKeyId": "i", "accessKeySecret": "s\n"})", {.id = "i", .secret = "s"}},
      {"Alibaba's service",
       R"({"AccessKeyId":"STS.i","AccessKeySecret":"s","Expiration":"2019-02-25T16:44:25Z","SecurityToken":"t",
           "LastUpdated":"2019-02-25T10:44:25Z","Code":"Success"})",
       {.id = "STS.i", .secret = "s", .token = "t", .ends = end}},
      {"Tencent's service",
       R"({"TmpSecretId":"i","TmpSecretKey":"s","ExpiredTime":1551113065,"Token":"t","Code":"Success"})",
       {.id = "i", .secret = "s", .token = "t", .ends = end}},
      {"an empty token", R"({"secretId": "i", "secretKey": "s", "token": ""})", {.id = "i", .secret = "s"}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const Result<Credentials> read = parse_credentials(c.text);
      REQUIRE(read);
      CHECK(*read == c.expected);
    }
  }
}

TEST_CASE("credentials that are none are refused, and no secret is told", "[cloud]") {
  const char* const cases[] = {
      "",
      "verysecret",
      "[\"verysecret\"]",
      R"({"accessKeySecret": "verysecret"})",
      R"({"accessKeyId": "i", "accessKeySecret": ["verysecret"]})",
      R"({"accessKeyId": "i", "accessKeySecret": "verysecret\r\nX-Other: 1"})",
      R"({"accessKeyId": "i", "accessKeySecret": ""})",
      R"({"accessKeyId": "i", "accessKeySecret": "verysecret", "Expiration": "tomorrow"})",
      R"({"accessKeyId": "i", "accessKeySecret": "verysecret", "Code": "Failed"})",
      R"({"accessKeyId": "i", "accessKeySecret": "verysecret" )",
  };
  for (const char* text : cases) {
    INFO(text);
    const Result<Credentials> read = parse_credentials(text);
    REQUIRE_FALSE(read);
    CHECK(read.error().message.find("verysecret") == std::string::npos);
  }
}

TEST_CASE("a mounted Secret is read by the names of either cloud", "[cloud]") {
  const test::TemporaryFolder folder;
  PosixFiles files;
  CHECK(read_credentials_folder(files, folder.path()).error().code == Code::kNotFound);
  write(folder / "secret-id", "i\n");
  CHECK(read_credentials_folder(files, folder.path()).error().code == Code::kNotFound);
  write(folder / "secret-key", "s\n");
  CHECK(read_credentials_folder(files, folder.path()).value() == Credentials{.id = "i", .secret = "s"});
  write(folder / "access-key-id", "j");
  write(folder / "access-key-secret", "u");
  write(folder / "security-token", "t");
  CHECK(read_credentials_folder(files, folder.path()).value() ==
        Credentials{.id = "j", .secret = "u", .token = "t"});
  write(folder / "access-key-secret", "two words");
  CHECK(read_credentials_folder(files, folder.path()).error().code == Code::kInvalidArgument);
}

/// Answers what a test has put there, and remembers what was asked.
class ScriptedHttp final : public HttpClient {
 public:
  Answer<HttpReply> exchange(const HttpRequest& request, std::chrono::milliseconds /*deadline*/) override {
    asked.push_back(request.method + " " + request.url);
    if (!request.headers.empty()) asked.back() += " " + request.headers.front().second;
    const auto found = replies.find(request.method + " " + request.url);
    if (found == replies.end()) return HttpReply{.status = 404};
    return HttpReply{.status = 200, .body = found->second};
  }
  std::map<std::string, std::string> replies;
  std::vector<std::string> asked;
};

TEST_CASE("a machine's role is asked for as its cloud's metadata service wants it", "[cloud]") {
  ScriptedHttp http;
  const std::string folder = "GET http://m/latest/meta-data/ram/security-credentials/";
  CHECK(read_role_credentials(http, Vendor::kAlibaba, "http://m", "").error().code == Code::kNotFound);
  http.replies["PUT http://m/latest/api/token"] = "session";
  http.replies[folder] = "worker\n";
  http.replies[folder + "worker"] = R"({"AccessKeyId":"i","AccessKeySecret":"s","SecurityToken":"t"})";
  http.asked.clear();
  CHECK(read_role_credentials(http, Vendor::kAlibaba, "http://m", "").value().token == "t");
  CHECK(http.asked == std::vector<std::string>{"PUT http://m/latest/api/token 600", folder + " session",
                                               folder + "worker session"});
  http.replies = {{"GET http://m/latest/meta-data/cam/security-credentials/r",
                   R"({"TmpSecretId":"i","TmpSecretKey":"s","Token":"t"})"}};
  CHECK(read_role_credentials(http, Vendor::kTencent, "http://m", "r").value().id == "i");
  CHECK(read_role_credentials(http, Vendor::kTencent, "http://m", "../r").error().code ==
        Code::kInvalidArgument);
}

struct Renewals {
  test::FakeClock clock;
  std::deque<Result<Credentials>> to_come;
  int reads = 0;
  Result<Credentials> next() {
    ++reads;
    if (to_come.empty()) return fail(Code::kUnavailable, "no answer");
    Result<Credentials> out = to_come.front();
    to_come.pop_front();
    return out;
  }
  Credentials ending_in(std::chrono::seconds time, const char* id) {
    return {.id = id, .secret = "s", .token = "t", .ends = clock.now() + time};
  }
};

TEST_CASE_METHOD(Renewals, "credentials are renewed before they end, and serve as long as they last",
                 "[cloud]") {
  KeptCredentials kept([this] { return next(); }, clock, seconds(0));
  CHECK_FALSE(kept.current());
  to_come = {ending_in(minutes(60), "first"), ending_in(minutes(120), "second")};
  CHECK(kept.current()->id == "first");
  clock.advance(minutes(49));
  CHECK(kept.current()->id == "first");
  CHECK(reads == 2);
  clock.advance(minutes(2));
  CHECK(kept.current()->id == "second");
  clock.advance(minutes(60));
  CHECK(kept.current()->id == "second");  // there are no new ones, and these last
  clock.advance(minutes(10));
  const auto ended = kept.current();
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == Code::kUnavailable);
  CHECK(ended.error().message.find("no answer") != std::string::npos);
}

TEST_CASE_METHOD(Renewals,
                 "credentials that the cloud did not take, or that may have changed, are read again",
                 "[cloud]") {
  KeptCredentials kept([this] { return next(); }, clock);
  to_come = {Credentials{.id = "a", .secret = "s"}, Credentials{.id = "b", .secret = "s"},
             Credentials{.id = "c", .secret = "s"}};
  CHECK(kept.current()->id == "a");
  CHECK(kept.current()->id == "a");
  kept.doubt();
  CHECK(kept.current()->id == "b");
  clock.advance(KeptCredentials::kLookAgain);
  CHECK(kept.current()->id == "c");
  clock.advance(KeptCredentials::kLookAgain);
  CHECK(kept.current()->id == "c");
}

}  // namespace
}  // namespace holdfast::cloud

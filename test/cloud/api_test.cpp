#include "common/cloud/api.h"

#include <nlohmann/json.hpp>

#include "test/catch.h"
#include "test/cloud/sim_cloud.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::cloud {
namespace {

using sim::Fault;
using std::chrono::milliseconds;
using test::FixedCredentials;
using test::SimCloud;

constexpr milliseconds kPatient{5000};
constexpr milliseconds kShort{150};

struct Clouds {
  Answer<nlohmann::json> alibaba(const std::string& action, const std::string& name,
                                 const std::string& token = {}, milliseconds deadline = kPatient) {
    AlibabaApi api(http, credentials, *clock, {.url = cloud->url(), .version = "2014-05-26"});
    return api.call({.action = action, .parameters = {{"Name", name}}, .token = token, .deadline = deadline});
  }
  Answer<nlohmann::json> tencent(const std::string& action, const std::string& name,
                                 milliseconds deadline = kPatient) {
    TencentApi api(http, credentials, *clock,
                   {.url = cloud->url(), .version = "2017-03-12", .region = "ap-x", .service = "cbs"});
    return api.call({.action = action, .body = nlohmann::json{{"Name", name}}.dump(), .deadline = deadline});
  }
  std::uint64_t made() { return cloud->state().value("count", 0U); }

  test::TemporaryFolder folder;
  test::ThingService service;
  std::unique_ptr<SimCloud> cloud = std::make_unique<SimCloud>(service, folder / "state");
  SystemClock system_clock;
  Clock* clock = &system_clock;
  CurlClient http{"test"};
  FixedCredentials credentials;
};

TEST_CASE_METHOD(Clouds, "both clouds answer what is signed for them, and say what is not there", "[cloud]") {
  CHECK(alibaba("CreateThing", "ö b&c=d/~").value()["Number"] == 1);
  CHECK(tencent("DescribeThing", "ö b&c=d/~").value()["Number"] == 1);
  const auto absent = alibaba("DescribeThing", "x");
  REQUIRE_FALSE(absent);
  CHECK(absent.error().end == CallEnd::kNoSuchThing);
  CHECK(absent.error().code == "InvalidThing.NotFound");
  CHECK(to_error(absent.error()).code == Code::kNotFound);
  CHECK(tencent("DeleteThing", "x").error().end == CallEnd::kNoSuchThing);
}

TEST_CASE_METHOD(Clouds, "an effect with a token comes once, also over a restart of the cloud", "[cloud]") {
  cloud->add_fault({.action = "CreateThing", .when = Fault::When::kAfter, .how = Fault::How::kDrop});
  const auto lost = alibaba("CreateThing", "a", "token-1");
  REQUIRE_FALSE(lost);
  CHECK(lost.error().end == CallEnd::kUnknownOutcome);
  CHECK(made() == 1);
  cloud.reset();
  cloud = std::make_unique<SimCloud>(service, folder / "state");
  CHECK(alibaba("CreateThing", "a", "token-1").value()["Number"] == 1);
  CHECK(made() == 1);
  CHECK(alibaba("CreateThing", "b", "token-1").error().code == "IdempotentParameterMismatch");
  CHECK(alibaba("CreateThing", "b", "token-2").value()["Number"] == 2);
}

TEST_CASE_METHOD(Clouds, "how a call ended is told as what it means for the caller", "[cloud]") {
  struct Case {
    const char* name;
    Fault fault;
    CallEnd end;
    std::uint64_t made;
  };
  const Case cases[] = {
      {"dropped before", {.how = Fault::How::kDrop}, CallEnd::kUnknownOutcome, 0},
      {"dropped after", {.when = Fault::When::kAfter, .how = Fault::How::kDrop}, CallEnd::kUnknownOutcome, 1},
      {"no answer", {.when = Fault::When::kAfter, .how = Fault::How::kHang}, CallEnd::kUnknownOutcome, 1},
      {"an error of the cloud's", {.how = Fault::How::kError}, CallEnd::kUnknownOutcome, 0},
      {"throttled", {.how = Fault::How::kThrottle}, CallEnd::kThrottled, 0},
      {"refused", {.how = Fault::How::kRefuse, .code = "QuotaExceed.Thing"}, CallEnd::kRefused, 0},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      cloud->add_fault(c.fault);
      const auto by_alibaba = alibaba("CreateThing", "a", "", kShort);
      REQUIRE_FALSE(by_alibaba);
      CHECK(by_alibaba.error().end == c.end);
      CHECK(made() == c.made);
      cloud->add_fault(c.fault);
      const auto by_tencent = tencent("CreateThing", "b", kShort);
      REQUIRE_FALSE(by_tencent);
      CHECK(by_tencent.error().end == c.end);
      CHECK(made() == 2 * c.made);
      const bool throttled = c.end == CallEnd::kThrottled;
      CHECK(by_alibaba.error().retry_after.has_value() == throttled);
      if (throttled) CHECK(*by_alibaba.error().retry_after == std::chrono::seconds(1));
    }
  }
}

TEST_CASE_METHOD(Clouds, "what was never sent is told so", "[cloud]") {
  CHECK(alibaba("CreateThing", "a", "", milliseconds(0)).error().end == CallEnd::kNotSent);
  const std::string url = cloud->url();
  cloud.reset();
  AlibabaApi api(http, credentials, *clock, {.url = url, .version = "1"});
  const auto refused = api.call({.action = "CreateThing", .deadline = kPatient});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().end == CallEnd::kNotSent);
  CHECK(refused.error().message.find("CreateThing: POST " + url) == 0);
}

TEST_CASE_METHOD(Clouds, "a clock that is off is told with both times, and wrong keys are doubted",
                 "[cloud]") {
  test::FakeClock off;  // years ago
  clock = &off;
  for (const auto& answer : {alibaba("CreateThing", "a"), tencent("CreateThing", "a")}) {
    REQUIRE_FALSE(answer);
    CHECK(answer.error().end == CallEnd::kRefused);
    CHECK(answer.error().message.find("2024-05-01T00:00:00Z; its own is 2") != std::string::npos);
    CHECK(answer.error().message.find("set the clock") != std::string::npos);
    CHECK(to_error(answer.error()).code == Code::kUnavailable);
  }
  clock = &system_clock;
  FixedCredentials wrong({.id = "sim-id", .secret = "other"});
  AlibabaApi api(http, wrong, *clock, {.url = cloud->url(), .version = "1"});
  CHECK(api.call({.action = "CreateThing", .deadline = kPatient}).error().code == "SignatureDoesNotMatch");
  CHECK(wrong.doubts == 1);
  FixedCredentials unknown({.id = "nobody", .secret = "other"});
  AlibabaApi by_nobody(http, unknown, *clock, {.url = cloud->url(), .version = "1"});
  const auto refused = by_nobody.call({.action = "CreateThing", .deadline = kPatient});
  CHECK(refused.error().code == "InvalidAccessKeyId.NotFound");
  CHECK(refused.error().end == CallEnd::kRefused);
  CHECK(made() == 0);
}

TEST_CASE("answers that are not the cloud's say nothing of what was done", "[cloud]") {
  struct Case {
    const char* name;
    int status;
    const char* body;
    CallEnd alibaba;
    CallEnd tencent;
  };
  constexpr CallEnd kUnknown = CallEnd::kUnknownOutcome;
  const Case cases[] = {
      {"a proxy's page", 502, "<html>bad gateway</html>", kUnknown, kUnknown},
      {"a page with 404", 404, "not found", kUnknown, kUnknown},
      {"half an answer", 200, R"({"DiskId": "d-)", kUnknown, kUnknown},
      {"no object", 200, "[]", kUnknown, kUnknown},
      {"no code", 400, R"({"Message": "x"})", kUnknown, kUnknown},
      {"too many, by a proxy", 429, "slow down", CallEnd::kThrottled, CallEnd::kThrottled},
      {"Alibaba's own error", 503, R"({"Code": "ServiceUnavailable"})", kUnknown, kUnknown},
      {"a nonce that was there", 400, R"({"Code": "SignatureNonceUsed"})", kUnknown, kUnknown},
      {"Tencent's own error", 200, R"({"Response": {"Error": {"Code": "InternalError.X"}}})",
       CallEnd::kRefused, kUnknown},
      {"Tencent's absence", 200, R"({"Response": {"Error": {"Code": "ResourceNotFound.X"}}})",
       CallEnd::kRefused, CallEnd::kNoSuchThing},
      {"Tencent's limit", 200, R"({"Response": {"Error": {"Code": "RequestLimitExceeded.Uin"}}})",
       CallEnd::kRefused, CallEnd::kThrottled},
      {"an error without a code", 200, R"({"Response": {"Error": 5}})", CallEnd::kRefused, kUnknown},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const HttpReply reply{.status = c.status, .body = c.body};
      const auto alibaba = read_alibaba_reply(reply, {});
      if (!alibaba) CHECK(alibaba.error().end == c.alibaba);
      CHECK((c.alibaba == CallEnd::kRefused) == alibaba.has_value());
      const auto tencent = read_tencent_reply(reply, {});
      REQUIRE_FALSE(tencent);
      CHECK(tencent.error().end == c.tencent);
    }
  }
}

TEST_CASE("the clouds' words for why not are told apart", "[cloud]") {
  struct Case {
    const char* code;
    Refusal refusal;
  };
  const Case cases[] = {
      {"InvalidParameter.Size", Refusal::kInvalid},
      {"QuotaExceed.DiskCapacity", Refusal::kQuota},
      {"OperationDenied.NoStock", Refusal::kQuota},
      {"Zone.NotOnSale", Refusal::kQuota},
      {"ResourceInsufficient.ZoneSoldOutForSpecifiedInstance", Refusal::kQuota},
      {"InvalidAccountStatus.NotEnoughBalance", Refusal::kArrears},
      {"OperationDenied.Arrearage", Refusal::kArrears},
      {"Forbidden.RAM", Refusal::kDenied},
      {"UnauthorizedOperation", Refusal::kDenied},
      {"InvalidAccessKeyId.NotFound", Refusal::kDenied},
      {"IncorrectDiskStatus.Attaching", Refusal::kInUse},
      {"ResourceBusy.DiskBusy", Refusal::kInUse},
      {"InvalidDisk.Busy", Refusal::kInUse},
      {"DiskCreatingSnapshot", Refusal::kInUse},
      {"InvalidDiskCategory.NotSupported", Refusal::kInvalid},
      {"InvalidDiskSize.NotSupported", Refusal::kInvalid},
      {"InvalidParameterValue.LimitExceeded", Refusal::kInvalid},
      {"ResourceUnavailable.ZoneNotMatch", Refusal::kInvalid},
      {"InstanceDiskLimitExceeded", Refusal::kQuota},
      {"IdempotentParameterMismatch", Refusal::kInvalid},
      {"InvalidAccessPointName.AlreadyExist", Refusal::kExists},
  };
  for (const Case& c : cases) {
    INFO(c.code);
    CHECK(refusal_of(c.code) == c.refusal);
  }
}

}  // namespace
}  // namespace holdfast::cloud

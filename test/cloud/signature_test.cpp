#include "common/cloud/signature.h"

#include "common/base/clock.h"
#include "common/base/sha.h"
#include "common/cloud/sim/verifier.h"
#include "test/catch.h"
#include "test/fakes/fake_clock.h"

namespace holdfast::cloud {
namespace {

using sim::ServerRequest;
using sim::Verifier;

/// A request whose signature somebody else has published.
struct Vector {
  const char* name;
  Vendor vendor;
  const char* target;  // of the first line
  std::vector<std::pair<std::string, std::string>> headers;
  const char* body;
  std::string id;
  std::string secret;
  const char* signed_names;
  std::string authorization;
};

const char* const kEmptySha = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const char* const kAcsNames =
    "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version";

std::vector<std::pair<std::string, std::string>> acs_headers(const char* host, const char* action,
                                                             const char* date, const char* version) {
  return {{"host", host},
          {"x-acs-action", action},
          {"x-acs-content-sha256", kEmptySha},
          {"x-acs-date", date},
          {"x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"},
          {"x-acs-version", version}};
}

// The first: Alibaba's page on signature version 3. The second: made by its openapi-util for Go. The last
// two: Tencent's page on signature version 3, before and after X-TC-Action became one of the signed headers.
std::vector<Vector> vectors() {
  const std::string acs =
      "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=" + std::string(kAcsNames);
  const char* const tencent_body =
      R"({"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]})";
  return {
      {"RunInstances", Vendor::kAlibaba,
       "/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai",
       acs_headers("ecs.cn-shanghai.aliyuncs.com", "RunInstances", "2023-10-26T10:22:32Z", "2014-05-26"), "",
       "YourAccessKeyId", "YourAccessKeySecret", kAcsNames,
       acs + ",Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"},
      {"AddDomainRecord, with all that must be escaped", Vendor::kAlibaba,
       "/?Value=k%2F%2B%3D%C3%A9&DomainName=example.com&RR=_acme-challenge.a+b%2A~&Type=TXT",
       acs_headers("alidns.aliyuncs.com", "AddDomainRecord", "2026-09-27T01:02:03Z", "2015-01-09"), "",
       "YourAccessKeyId", "YourAccessKeySecret", kAcsNames,
       acs + ",Signature=98648f18f798a6d0a3879e7f236ea65df4917667858b849e1927a43d3f81fcb0"},
      {"DescribeInstances",
       Vendor::kTencent,
       "/",
       {{"content-type", "application/json; charset=utf-8"}, {"host", "cvm.tencentcloudapi.com"}},
       tencent_body,
       "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
       "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
       "content-type;host",
       "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, "
       "SignedHeaders=content-type;host, "
       "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"},
      {"DescribeInstances with its action signed",
       Vendor::kTencent,
       "/",
       {{"content-type", "application/json; charset=utf-8"},
        {"host", "cvm.tencentcloudapi.com"},
        {"x-tc-action", "describeinstances"}},
       tencent_body,
       "AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******",
       "Gu5t9xGARNpq86cd98joQYCN3*******",
       "content-type;host;x-tc-action",
       "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******/2019-02-25/cvm/tc3_request, "
       "SignedHeaders=content-type;host;x-tc-action, "
       "Signature=be4f67d323c78ab9acb7395e43c0dbcf822a9cfac32fea2449a7bc7726b770a3"},
  };
}

constexpr std::chrono::sys_seconds kTencentTime{std::chrono::seconds(1'551'113'065)};

std::string bytes_of(const Vector& vector, const std::string& body) {
  std::string out = "POST " + std::string(vector.target) + " HTTP/1.1\r\n";
  for (const auto& [name, value] : vector.headers) {
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
  }
  if (vector.vendor == Vendor::kTencent) out += "X-TC-Timestamp: 1551113065\r\n";
  return out + "Authorization: " + vector.authorization +
         "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

ServerRequest received(const Vector& vector, const std::string& body) {
  const auto parsed = sim::parse_request(bytes_of(vector, body));
  REQUIRE(parsed);
  REQUIRE(parsed->has_value());
  return (*parsed)->request;
}

std::chrono::sys_seconds time_of(const Vector& vector) {
  if (vector.vendor == Vendor::kTencent) return kTencentTime;
  return parse_utc(vector.headers[3].second).value();
}

TEST_CASE("requests are signed as the clouds' published examples are", "[cloud]") {
  for (const Vector& vector : vectors()) {
    DYNAMIC_SECTION(vector.name) {
      const ServerRequest request = received(vector, vector.body);
      SignedRequest to_sign{.method = "POST", .path = "/", .query = canonical_query(request.query)};
      to_sign.headers = {vector.headers.begin(), vector.headers.end()};
      to_sign.body_sha256 = sha256_hex(vector.body);
      CHECK(signed_headers(to_sign) == vector.signed_names);
      const std::string made =
          vector.vendor == Vendor::kAlibaba
              ? acs3_authorization(to_sign, vector.id, vector.secret)
              : tc3_authorization(to_sign, "cvm", kTencentTime, vector.id, vector.secret);
      CHECK(made == vector.authorization);
    }
  }
}

TEST_CASE("a simulated cloud takes the published examples, and nothing that differs from them", "[cloud]") {
  for (const Vector& vector : vectors()) {
    DYNAMIC_SECTION(vector.name) {
      test::FakeClock clock;
      clock.wall_time = time_of(vector);
      Verifier verifier({{.id = vector.id, .secret = vector.secret}}, clock);
      const ServerRequest good = received(vector, vector.body);
      CHECK(Verifier::vendor_of(good) == vector.vendor);
      CHECK_FALSE(verifier.check(good, vector.vendor).has_value());
      CHECK(verifier.check(good, vector.vendor).has_value() == (vector.vendor == Vendor::kAlibaba));

      ServerRequest other = received(vector, std::string(vector.body) + " ");
      CHECK(verifier.check(other, vector.vendor).has_value());
      other = good;
      other.headers["host"] = "elsewhere";
      CHECK(verifier.check(other, vector.vendor).has_value());
      other = good;
      other.headers["authorization"].back() ^= 1;
      CHECK(verifier.check(other, vector.vendor).has_value());
      Verifier stranger({{.id = "somebody", .secret = vector.secret}}, clock);
      CHECK(stranger.check(good, vector.vendor).has_value());
      Verifier late({{.id = vector.id, .secret = vector.secret}}, clock);
      clock.advance(Verifier::kMostSkew + std::chrono::seconds(1));
      const auto refused = late.check(good, vector.vendor);
      REQUIRE(refused.has_value());
      CHECK(refused->code.find(vector.vendor == Vendor::kAlibaba ? "InvalidTimeStamp" : "SignatureExpire") ==
            (vector.vendor == Vendor::kAlibaba ? 0 : 12));
    }
  }
}

TEST_CASE("a parameter of Alibaba's that was changed on the way is noticed", "[cloud]") {
  const Vector vector = vectors().front();
  test::FakeClock clock;
  clock.wall_time = time_of(vector);
  Verifier verifier({{.id = vector.id, .secret = vector.secret}}, clock);
  ServerRequest request = received(vector, "");
  request.query["RegionId"] = "cn-beijing";
  const auto refused = verifier.check(request, Vendor::kAlibaba);
  REQUIRE(refused.has_value());
  CHECK(refused->code == "SignatureDoesNotMatch");
}

TEST_CASE("requests are read as they come, and what is none is refused", "[cloud]") {
  const std::string whole = "POST /a?b=c%20d&e HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET";
  for (std::size_t size = 0; size < whole.size() - 3; ++size) {
    const auto part = sim::parse_request(std::string_view(whole).substr(0, size));
    REQUIRE(part);
    CHECK_FALSE(part->has_value());
  }
  const auto parsed = sim::parse_request(whole);
  REQUIRE((parsed && parsed->has_value()));
  CHECK((*parsed)->size == whole.size() - 3);
  CHECK((*parsed)->request.body == "abc");
  CHECK((*parsed)->request.query == Parameters{{"b", "c d"}, {"e", ""}});
  for (const char* bad :
       {"x\r\n\r\n", "GET / FTP\r\n\r\n", "GET /?a=%2 HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n: a\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    INFO(bad);
    CHECK_FALSE(sim::parse_request(bad));
  }
  CHECK_FALSE(sim::parse_request(std::string(sim::kMostHeadBytes + 1, 'x')));
}

}  // namespace
}  // namespace holdfast::cloud

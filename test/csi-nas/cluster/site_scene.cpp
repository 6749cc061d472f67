#include "test/csi-nas/cluster/site_scene.h"

#include <exception>
#include <utility>

#include "test/catch.h"
#include "test/kube_server/manifest_kinds.h"

namespace holdfast::nas::test {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds kPatience{300};
constexpr int kMostTries = 400;

// As the provisioner does: again, as long as that may help.
template <class Call>
auto patiently(Call call) {
  auto answer = call();
  for (int tries = 0; !answer && tries < kMostTries; ++tries) {
    const Code code = answer.error().code;
    if (code != Code::kAborted && code != Code::kUnavailable) break;
    answer = call();
  }
  return answer;
}

}  // namespace

class CuttableHttp::Exchange final : public kube::HttpExchange {
 public:
  Exchange(CuttableHttp& of, kube::HttpCallbacks callbacks) : of_(of), callbacks_(std::move(callbacks)) {
    of_.live_.insert(this);
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() override { of_.live_.erase(this); }

  void begin(kube::HttpRequest request) { way_ = of_.way_->start(std::move(request), callbacks_); }
  void fail_soon() {
    way_.reset();
    end_ = of_.loop_.after(5ms, [this] {
      const auto end = callbacks_.end;
      end(fail(Code::kUnavailable, "the link is cut"));
    });
  }

 private:
  CuttableHttp& of_;
  kube::HttpCallbacks callbacks_;
  std::unique_ptr<kube::HttpExchange> way_;
  EventLoop::Timer end_;
};

std::unique_ptr<kube::HttpExchange> CuttableHttp::start(kube::HttpRequest request,
                                                        kube::HttpCallbacks callbacks) {
  auto exchange = std::make_unique<Exchange>(*this, std::move(callbacks));
  if (cut_ || also_cut()) {
    exchange->fail_soon();
  } else {
    exchange->begin(request);
    started(request);
  }
  return exchange;
}

void CuttableHttp::cut(bool is_cut) {
  cut_ = is_cut;
  if (!is_cut) return;
  for (Exchange* each : live_) each->fail_soon();
}

SiteScene::SiteScene() {
  for (const char* plural : {"nasvolumes", "nastasks"}) {
    holdfast::test::define_kind(*server, std::string(HOLDFAST_MANIFESTS "/base/csi-nas/") + plural + ".yaml");
  }
  server->watches().bookmark_period = 20ms;
  thread_ = std::thread([this] {
    if (!loop->run()) std::terminate();
  });
}

SiteScene::~SiteScene() {
  loop->post([this] {
    server.reset();
    loop->stop();
  });
  thread_.join();
}

void SiteScene::wait_until(const std::function<bool()>& condition) {
  const auto limit = clock.since_boot() + 30s;
  while (!with([&] { return condition(); })) {
    REQUIRE(clock.since_boot() < limit);
    clock.sleep(2ms);
  }
}

std::unique_ptr<kube::Http> SiteScene::another_way(const std::string& user_agent) {
  kube::Config config;
  config.server = server->url();
  return kube::CurlHttp::create(*loop, config, files, metrics, user_agent).value();
}

std::unique_ptr<kube::ObjectClient> SiteScene::client_of(kube::Http& way) {
  return std::make_unique<kube::ObjectClient>(
      *loop, way,
      kube::ObjectClientOptions{.field_manager = "csi-nas", .first_wait = 1ms, .longest_wait = 20ms},
      ++seed_);
}

json SiteScene::at(const std::string& path) {
  const holdfast::test::StoredObject found = server->find(path);
  return found ? *found : json();
}

std::vector<json> SiteScene::all(const std::string& path) {
  holdfast::test::ServerRequest request;
  request.method = "GET";
  request.path = path;
  const json list = json::parse(server->reply_to(request).body);
  return list["items"].get<std::vector<json>>();
}

SceneRecords::SceneRecords(SiteScene& of, std::chrono::milliseconds patience) : scene(of) {
  scene.with([&] {
    watches = scene.another_way(kControllerAgent);
    writes = scene.another_way(kControllerAgent);
    client = scene.client_of(*writes);
    records = std::make_unique<ObjectRecords>(
        ObjectRecords::Context{.loop = *scene.loop, .http = *watches, .client = *client, .log = scene.log},
        patience, 1);
    records->start();
  });
  scene.wait_until([this] { return records->is_known(); });
}

SceneRecords::~SceneRecords() {
  scene.with([this] {
    records.reset();
    client.reset();
    writes.reset();
    watches.reset();
  });
}

SceneNode::SceneNode(SiteScene& scene, std::string name, std::string site)
    : scene_(scene), name_(std::move(name)), site_(std::move(site)), shares_(scene.folder.path()) {}

SceneNode::~SceneNode() { die(); }

void SceneNode::start() {
  powerless = false;
  cut_at = Cut::kNever;
  scene_.with([this] {
    for (auto* way : {&watches_, &writes_}) {
      *way = std::make_unique<CuttableHttp>(*scene_.loop, scene_.another_way(kNodeAgent));
      (*way)->also_cut = [this] { return powerless.load(); };
    }
    writes_->started = [this](const kube::HttpRequest& request) {
      const bool tells = request.body.find(R"("state":"done")") != std::string::npos;
      if (tells && cut_at == Cut::kTold) powerless = true;
    };
    client_ = scene_.client_of(*writes_);
    SiteAgent::Options options;
    options.node = name_;
    options.site = site_;
    options.renew = 60ms;
    options.lead = 250ms;
    options.lease = 500ms;
    if (patient) {
      options.renew = 1s;
      options.lead = 20s;
      options.lease = 30s;
    }
    options.spread = 10ms;
    options.look = 5ms;
    options.first_wait = 10ms;
    options.longest_wait = 20ms;
    options.pass_on = 100ms;
    options.rest = 2s;
    options.seed = ++lives_ * 100;
    agent_ = std::make_unique<SiteAgent>(SiteAgent::Context{.loop = *scene_.loop,
                                                            .http = *watches_,
                                                            .client = *client_,
                                                            .shares = *this,
                                                            .work = *this,
                                                            .log = scene_.log},
                                         options);
    agent_->start();
  });
}

void SceneNode::die() {
  powerless = true;
  scene_.with([this] {
    agent_.reset();
    client_.reset();
    watches_.reset();
    writes_.reset();
  });
}

void SceneNode::cut_link(bool is_cut) {
  scene_.with([&] {
    watches_->cut(is_cut);
    writes_->cut(is_cut);
  });
}

Status SceneNode::power_until(Cut step) {
  if (cut_at == step) powerless = true;
  if (powerless) return fail(Code::kUnavailable, "there is no power");
  return {};
}

Result<std::string> SceneNode::mounted_at(const NasSource& source, std::chrono::milliseconds patience) {
  HOLDFAST_CHECK(power_until(Cut::kTaken));
  if (at_mount) at_mount();
  if (server_dead) return fail(Code::kUnavailable, "the server does not answer");
  if (refusing != 0) return fail_errno(refusing, "mount");
  return shares_.mounted_at(source, patience);
}

bool SceneNode::answers(const NasSource& /*source*/) { return !server_dead; }

Result<std::string> SceneNode::run(const std::string& /*id*/, const std::string& /*server*/,
                                   DirectoryOrder order, std::chrono::milliseconds /*patience*/) {
  HOLDFAST_CHECK(power_until(Cut::kMounted));
  if (at_work) at_work();
  ++begun;
  if (busy) return fail(Code::kAborted, "7 entries so far");
  order.holder = name_;
  std::erase(order.holder, '-');
  Progress progress;
  Result<std::string> done = carry_out(order, progress, {});
  HOLDFAST_CHECK(power_until(Cut::kDone));
  return done;
}

void SceneNode::give_up(const std::string& /*id*/) { ++given_up; }

SceneController::SceneController(SiteScene& of)
    : scene(of),
      records(of),
      own(of, "controller", ""),
      volumes(*records.records, own, own, of.clock, scene.with([this] {
        watches = scene.another_way(kControllerAgent);
        writes = scene.another_way(kControllerAgent);
        client = scene.client_of(*writes);
        SiteTasks::Options options;
        options.no_node_after = 400ms;
        options.keep_answers = 100ms;
        options.tick = 20ms;
        tasks = std::make_unique<SiteTasks>(
            SiteTasks::Context{.loop = *scene.loop, .http = *watches, .client = *client, .log = scene.log},
            options);
        tasks->start();
        return tasks.get();
      })) {}

SceneController::~SceneController() {
  scene.with([this] {
    tasks.reset();
    client.reset();
    writes.reset();
    watches.reset();
  });
}

NewVolume SceneController::wish(const std::string& name, const std::string& site,
                                std::map<std::string, std::string> more) {
  more.emplace("server", "10.0.0.5:/exports");
  if (!site.empty()) more.emplace("site", site);
  return {.name = name, .required_bytes = 1 << 30, .parameters = std::move(more)};
}

Result<NasRecord> SceneController::create(const NewVolume& wanted) {
  return patiently([&] { return volumes.create(wanted, kPatience); });
}

Status SceneController::remove(const std::string& id) {
  return patiently([&] { return volumes.remove(id, kPatience); });
}

Result<NasRecord> SceneController::snapshot(const std::string& name, const std::string& volume) {
  return patiently([&] { return volumes.snapshot(name, volume, kPatience); });
}

}  // namespace holdfast::nas::test

#include <memory>

#include "egw-gateway/helper/agent.h"
#include "egw-gateway/helper/removal.h"

// The end: of the node in its pool, and of the program.
namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

// What ends the pod of a node that was taken out of the pool is faster than who tells of it.
constexpr auto kLastWord = 3s;

}  // namespace

void Agent::gone() { leave("the pool's EdgeGateway is gone"); }

void Agent::leave(const std::string& why) {
  if (removed_ || removal_.pending()) return;
  const std::chrono::seconds delay = ending_ ? 0s : options_.removal_delay;
  object_stands(why + "; routes, rules and store are taken away " + std::to_string(delay.count()) +
                " s after that was heard, unless it is as it was by then");
  removal_ = tools_.loop.after(delay, [this] { remove(); });
}

void Agent::remove() {
  tools_.log.info("routes, rules and store are taken away");
  object_stands("");
  removal_.end();
  removed_ = true;
  removing_ = true;
  known_.reset();
  stored_.reset();
  choice_ = {};
  history_ = {};
  round();
  const auto done = std::make_shared<Status>();  // shared as in save()
  tools_.worker.run([tools = RemovalTools{tools_.files, tools_.store, tools_.firewall}, options = options_,
                     done] { *done = remove_all(tools, options); },
                    [this, done] { removal_tried(*done); });
}

void Agent::removal_tried(const Status& done) {
  removing_ = !done;
  if (!done) tools_.log.error("something of ours is left", {{"error", done.error().message}});
  if (ending_) return tools_.loop.stop();
  if (!done && removed_) removal_ = tools_.loop.after(options_.resync, [this] { remove(); });
}

void Agent::end() {
  ending_ = true;
  if (removal_.pending()) return remove();
  if (removing_) return tools_.loop.stop();
  if (!heard_ || options_.source.kind != SourceKind::kCrd) return tools_.loop.stop();
  end_ = tools_.loop.after(kLastWord, [this] { tools_.loop.stop(); });
}

}  // namespace holdfast::gateway

#include "egw-gateway/access/dir_pool_source.h"

#include <set>
#include <string>
#include <utility>

#include "egw-gateway/source/dir_gateway_source.h"

namespace holdfast::gateway {

Status DirPoolSource::start(PoolConsumer& consumer) {
  consumer_ = &consumer;
  HOLDFAST_TRY(changes_, FolderWatch::open(folder_));
  HOLDFAST_TRY(watch_, loop_.watch(changes_->fd(), {.readable = true}, [this](Readiness) { news(); }));
  read_after({});
  return {};
}

void DirPoolSource::news() {
  if (concerns_gateways(changes_->drain())) read_after(kGather);
}

void DirPoolSource::read_after(std::chrono::nanoseconds delay) {
  next_ = loop_.after(delay, [this] { read(); });
}

void DirPoolSource::read() {
  read_after(kRescan);
  FolderGateways answer = read_gateways(files_, folder_);
  consumer_->health(answer.trouble);
  std::set<std::string> there;
  for (EdgeGateway& gateway : answer.gateways) {
    there.insert(gateway.pool);
    consumer_->told(std::move(gateway));
  }
  if (answer.trouble.empty()) consumer_->only(there);
}

}  // namespace holdfast::gateway

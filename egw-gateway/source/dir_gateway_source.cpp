#include "egw-gateway/source/dir_gateway_source.h"

#include <algorithm>
#include <utility>

#include "common/base/linked_file.h"

namespace holdfast::gateway {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;

bool is_document(const std::string& name) {
  if (name.starts_with('.')) return false;
  return name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json");
}

void add_trouble(FolderGateways& out, const std::filesystem::path& path, const Error& error) {
  if (out.trouble.empty()) out.trouble = path.native() + ": " + error.message;
}

/// Returns whether the file held anything.
bool read_file(Files& files, const std::filesystem::path& path, FolderGateways& out) {
  const Result<std::string> text = read_linked_file(files, path, kMaxFileBytes);
  if (!text) {
    add_trouble(out, path, text.error());
    return false;
  }
  Result<std::vector<Result<EdgeGateway>>> documents = decode_edge_gateway_documents(*text);
  if (!documents) {
    add_trouble(out, path, documents.error());
    return false;
  }
  for (Result<EdgeGateway>& document : *documents) {
    if (!document) {
      add_trouble(out, path, document.error());
    } else {
      out.gateways.push_back(*std::move(document));
    }
  }
  return !documents->empty();
}

}  // namespace

FolderGateways read_gateways(Files& files, const std::filesystem::path& folder) {
  FolderGateways out;
  Result<std::vector<std::string>> names = files.list(folder);
  if (!names) {
    add_trouble(out, folder, names.error());
    return out;
  }
  std::ranges::sort(*names);
  bool any = false;
  for (const std::string& name : *names) {
    if (is_document(name)) any = read_file(files, folder / name, out) || any;
  }
  if (!any && out.trouble.empty()) {
    out.trouble = folder.native() + " holds no EdgeGateway; put the pool's file there";
  }
  return out;
}

FolderAnswer read_gateway_folder(Files& files, const std::filesystem::path& folder, const std::string& pool) {
  FolderGateways all = read_gateways(files, folder);
  FolderAnswer out;
  out.trouble = std::move(all.trouble);
  for (EdgeGateway& gateway : all.gateways) {
    if (gateway.pool == pool) out.gateway = std::move(gateway);
  }
  return out;
}

bool concerns_gateways(const Result<FolderNews>& news) {
  return !news || news->all || std::ranges::any_of(news->names, [](const std::string& name) {
    return is_document(name) || name == "..data";
  });
}

Status DirGatewaySource::start(GatewayConsumer& consumer) {
  consumer_ = &consumer;
  HOLDFAST_TRY(changes_, FolderWatch::open(folder_));
  HOLDFAST_TRY(watch_, loop_.watch(changes_->fd(), {.readable = true}, [this](Readiness) { news(); }));
  read_after({});
  return {};
}

void DirGatewaySource::news() {
  if (concerns_gateways(changes_->drain())) read_after(kGather);
}

void DirGatewaySource::read_after(std::chrono::nanoseconds delay) {
  next_ = loop_.after(delay, [this] { read(); });
}

void DirGatewaySource::read() {
  read_after(kRescan);
  FolderAnswer answer = read_gateway_folder(files_, folder_, pool_);
  consumer_->health(answer.trouble);
  if (answer.gateway) {
    consumer_->told(*std::move(answer.gateway));
  } else if (answer.trouble.empty()) {
    consumer_->gone();
  }
}

}  // namespace holdfast::gateway

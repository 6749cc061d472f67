#include "csi-lvm/nrm/config_source.h"

#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "common/base/json.h"
#include "common/base/linked_file.h"
#include "common/base/state_file.h"

namespace holdfast::nrm {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
constexpr std::chrono::milliseconds kSettles{200};  // writers touch a folder several times
constexpr StateKind kConfig{.name = "node-resource-config", .version = 1};
constexpr const char* kConfigFile = "config";

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

Result<std::map<std::string, std::string>> texts_of(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object());
  std::map<std::string, std::string> texts;
  for (const std::string& key : object.keys()) {
    HOLDFAST_TRY(texts[key], object[key].string());
  }
  return texts;
}

Result<NodeConfig> parse_saved(std::string_view text) {
  HOLDFAST_TRY(const json document, parse_json(text, {.max_bytes = kMaxStateBytes, .max_depth = 3}));
  HOLDFAST_TRY(const JsonObject root, JsonObject::of(document));
  NodeConfig config;
  HOLDFAST_TRY(config.data, texts_of(root["data"]));
  HOLDFAST_TRY(config.labels, texts_of(root["labels"]));
  return config;
}

}  // namespace

Status FileConfig::watch(const fs::path& folder) {
  HOLDFAST_TRY(FolderWatch opened, FolderWatch::open(folder));
  auto watched = std::make_unique<Watched>(Watched{std::move(opened), {}});
  Watched* one = watched.get();
  HOLDFAST_TRY(one->ready, loop_.watch(one->folder.fd(), {.readable = true}, [this, one](Readiness) {
    static_cast<void>(one->folder.drain());  // all is read anew, whatever it was
    settled_ = loop_.after(kSettles, [this] { read(); });
  }));
  watched_.push_back(std::move(watched));
  return {};
}

Status FileConfig::start(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  HOLDFAST_CHECK(watch(is_folder(place_.config) ? place_.config : place_.config.parent_path()));
  if (!place_.labels.empty()) HOLDFAST_CHECK(watch(place_.labels.parent_path()));
  settled_ = loop_.after({}, [this] { read(); });
  return {};
}

Result<ConfigData> FileConfig::read_folder() const {
  ConfigData data;
  for (const char* key : {"volumegroup", "quotapath", "memory"}) {
    const fs::path path = place_.config / key;
    auto text = read_linked_file(files_, path, kMaxBytes);
    if (text) {
      data[key] = *std::move(text);
    } else if (text.error().code != Code::kNotFound) {
      return tl::unexpected(std::move(text).error());
    }
  }
  return data;
}

Result<NodeConfig> FileConfig::read_all() const {
  NodeConfig config;
  if (is_folder(place_.config)) {
    HOLDFAST_TRY(config.data, read_folder());
  } else {
    HOLDFAST_TRY(const std::string text, read_linked_file(files_, place_.config, kMaxBytes));
    auto data = parse_config_file(text);
    if (!data) return tl::unexpected(std::move(data).error().within(place_.config.native()));
    config.data = *std::move(data);
  }
  config.labels = place_.fixed_labels;
  if (place_.labels.empty()) return config;
  HOLDFAST_TRY(const std::string text, read_linked_file(files_, place_.labels, kMaxBytes));
  auto labels = parse_labels(text);
  if (!labels) return tl::unexpected(std::move(labels).error().within(place_.labels.native()));
  config.labels.merge(*labels);
  return config;
}

void FileConfig::read() {
  auto config = read_all();
  callbacks_.trouble(config ? "" : config.error().message);
  if (!config || (last_ && *last_ == *config)) return;
  last_ = *config;
  callbacks_.told(*std::move(config));
}

Result<std::optional<NodeConfig>> load_config(Files& files, const fs::path& state_dir) {
  HOLDFAST_TRY(const StateFile file, read_state(files, state_dir / kConfigFile, kConfig));
  if (!file.content) return std::nullopt;
  HOLDFAST_TRY(NodeConfig config, parse_saved(*file.content));
  return config;
}

Status save_config(Files& files, const fs::path& state_dir, const NodeConfig& config) {
  HOLDFAST_CHECK(files.make_folders(state_dir, 0700));
  return write_state(files, state_dir / kConfigFile, kConfig,
                     dump_json({{"data", config.data}, {"labels", config.labels}}));
}

}  // namespace holdfast::nrm

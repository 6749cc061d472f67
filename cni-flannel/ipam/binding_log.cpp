#include "cni-flannel/ipam/binding_log.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/state_file.h"

namespace holdfast::flannel {
namespace {

constexpr std::size_t kMaxLogBytes = std::size_t{64} << 20;
constexpr std::size_t kSlackLines = 64;  // superseded lines that are never worth a compaction
constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;

std::string with_suffix(const std::filesystem::path& path, std::string_view suffix) {
  return path.native() + std::string(suffix);
}

}  // namespace

BindingLog::BindingLog(Files& files, const std::filesystem::path& state_dir, const std::string& network,
                       std::vector<std::string>& notices)
    : files_(files), path_(state_dir / (network + ".bindings")), notices_(notices) {}

Result<bool> BindingLog::load() {
  auto bytes = files_.read(path_, kMaxLogBytes);
  if (!bytes && bytes.error().code != Code::kFailedPrecondition) {
    return tl::unexpected(std::move(bytes).error());
  }
  const bool is_there = !bytes || bytes->has_value();
  std::string text = bytes && *bytes ? **std::move(bytes) : std::string();
  log_ = parse_binding_log(text);
  file_bytes_ = text.size();
  if (log_.ours && log_.damaged_lines > 0) {
    bytes_ = std::move(text);
  }
  set_aside_ = is_there && !log_.ours;
  return log_.ours;
}

Status BindingLog::start(std::vector<Binding> bindings) {
  HOLDFAST_CHECK(files_.make_folders(path_.parent_path(), kFolderMode));
  if (set_aside_) {
    const std::string aside = with_suffix(path_, ".damaged");
    const Status moved = files_.rename(path_, aside);
    notices_.push_back(path_.native() + " is not a binding log of this version: " +
                       (moved ? "moved to " + aside : "not kept (" + moved.error().message + ")") +
                       ", bindings are learnt anew");
  }
  log_ = {};
  log_.ours = true;
  for (Binding& binding : bindings) {
    binding.sequence = ++log_.last_sequence;
  }
  log_.bindings = std::move(bindings);
  return rewrite();
}

Status BindingLog::append(std::vector<Binding> records) {
  HOLDFAST_CHECK(mend());
  std::string lines;
  for (Binding& record : records) {
    record.sequence = ++log_.last_sequence;
    lines += format_record(record);
  }
  HOLDFAST_CHECK(files_.append(path_, lines, kFileMode));
  log_.valid_bytes += lines.size();
  file_bytes_ = log_.valid_bytes;
  log_.lines += records.size();
  for (const Binding& record : records) {
    apply(record);
  }
  return {};
}

Status BindingLog::sync() { return files_.sync_file(path_); }

Status BindingLog::compact(std::size_t factor) {
  if (log_.lines <= factor * log_.bindings.size() + kSlackLines) {
    return {};
  }
  HOLDFAST_CHECK(files_.sync_file(path_));  // see the class comment
  return rewrite();
}

Status BindingLog::mend() {
  if (log_.damaged_lines > 0) {
    const std::string aside = with_suffix(path_, ".damaged");
    const Status copied = replace_file(files_, aside, bytes_, kFileMode);
    notices_.push_back(path_.native() + " had " + std::to_string(log_.damaged_lines) +
                       " damaged lines: passed over, " +
                       (copied ? "copy in " + aside : "no copy is kept (" + copied.error().message + ")"));
    HOLDFAST_CHECK(rewrite());
    bytes_.clear();
  } else if (file_bytes_ > log_.valid_bytes) {
    notices_.push_back(path_.native() + " had a torn end of " +
                       std::to_string(file_bytes_ - log_.valid_bytes) + " bytes: cut off");
    HOLDFAST_CHECK(files_.truncate(path_, log_.valid_bytes));
    file_bytes_ = log_.valid_bytes;
  }
  return {};
}

Status BindingLog::rewrite() {
  std::string text = format_log_header();
  for (const Binding& binding : log_.bindings) {
    text += format_record(binding);
  }
  HOLDFAST_CHECK(replace_file(files_, path_, text, kFileMode));
  log_.lines = log_.bindings.size();
  log_.damaged_lines = 0;
  log_.valid_bytes = text.size();
  file_bytes_ = text.size();
  return {};
}

void BindingLog::apply(const Binding& record) {
  const auto known = std::ranges::find(log_.bindings, record.key, &Binding::key);
  if (record.state == BindingState::kEnded) {
    if (known != log_.bindings.end()) {
      log_.bindings.erase(known);
    }
  } else if (known != log_.bindings.end()) {
    *known = record;
  } else {
    log_.bindings.push_back(record);
  }
}

}  // namespace holdfast::flannel

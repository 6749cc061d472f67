#include "common/base/state_file.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "common/base/checksum.h"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

// Envelope line up to and without the checksum. The checksum is of this and the content.
std::string envelope_head(const StateKind& kind, std::size_t content_bytes) {
  std::string head = "holdfast-state ";
  head += kind.name;
  head += " v" + std::to_string(kind.version) + " " + std::to_string(content_bytes) + " ";
  return head;
}

std::string checksum_text(std::string_view head, std::string_view content) {
  std::array<char, 24> text{};
  const int size = std::snprintf(text.data(), text.size(), "crc32c=%08x", crc32c(content, crc32c(head)));
  return {text.data(), static_cast<std::size_t>(size)};
}

// The content, or why the bytes are not a state file of this kind. The envelope that the content ought to
// have is made anew and compared, so there is nothing to parse and one form only.
Result<std::string> open_envelope(std::string_view bytes, const StateKind& kind) {
  const std::size_t line_end = bytes.find('\n');
  if (line_end == std::string_view::npos) {
    return fail(Code::kDataLoss,
                bytes.empty() ? "empty" : "no state file of ours, or torn in its first line");
  }
  const std::string_view line = bytes.substr(0, line_end);
  const std::string_view content = bytes.substr(line_end + 1);
  const std::string head = envelope_head(kind, content.size());
  if (line == head + checksum_text(head, content)) {
    return std::string(content);
  }
  if (line.starts_with(head)) {
    return fail(Code::kDataLoss, "wrong checksum");
  }
  const std::string kind_and_version = head.substr(0, head.rfind(' ', head.size() - 2) + 1);
  if (line.starts_with(kind_and_version)) {
    return fail(Code::kDataLoss, "torn, of " + std::to_string(content.size()) + " bytes");
  }
  return fail(Code::kDataLoss,
              "begins with '" + std::string(line.substr(0, 80)) + "', expected '" + kind_and_version + "'");
}

fs::path damaged_name(const fs::path& path, unsigned n) {
  fs::path name = path;
  name += ".damaged-" + std::to_string(n);
  return name;
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// Moves `path` to the first free number; when all are taken, the oldest (the lowest) is given up.
// Returns where it went.
Result<fs::path> move_aside(Files& files, const fs::path& path) {
  for (unsigned n = 1; n <= kDamagedFilesKept; ++n) {
    const Status moved = files.rename_new(path, damaged_name(path, n));
    if (moved) {
      return damaged_name(path, n);
    }
    if (moved.error().code != Code::kAlreadyExists) {
      return tl::unexpected(moved.error());
    }
  }
  for (unsigned n = 1; n < kDamagedFilesKept; ++n) {
    HOLDFAST_CHECK(files.rename(damaged_name(path, n + 1), damaged_name(path, n)));
  }
  HOLDFAST_CHECK(files.rename(path, damaged_name(path, kDamagedFilesKept)));
  return damaged_name(path, kDamagedFilesKept);
}

StateFile damaged(Files& files, const fs::path& path, const std::string& why) {
  StateFile out;
  out.note = path.native() + " is damaged (" + why + ")";
  if (const auto moved = move_aside(files, path)) {
    out.note += ", moved to " + moved->native();
    const Status synced = files.sync_folder(folder_of(path));
    out.note += synced ? "" : "; " + synced.error().message;
  } else {
    out.note += ", and stays where it is: " + moved.error().message;
  }
  return out;
}

}  // namespace

Status replace_file(Files& files, const fs::path& path, std::string_view bytes, mode_t mode) {
  const fs::path folder = folder_of(path);
  const fs::path temporary = folder / ("." + path.filename().native() + ".new");
  Status created = files.create(temporary, bytes, mode);
  if (!created && created.error().code == Code::kAlreadyExists) {
    HOLDFAST_CHECK(files.remove(temporary));
    created = files.create(temporary, bytes, mode);
  }
  HOLDFAST_CHECK(std::move(created));
  Status replaced = files.sync_file(temporary);
  if (replaced) {
    replaced = files.rename(temporary, path);
  }
  if (!replaced) {
    static_cast<void>(files.remove(temporary));
    return replaced;
  }
  return files.sync_folder(folder);
}

Status write_state(Files& files, const fs::path& path, const StateKind& kind, std::string_view content) {
  std::string bytes = envelope_head(kind, content.size());
  bytes += checksum_text(bytes, content);
  bytes += '\n';
  bytes += content;
  return replace_file(files, path, bytes);
}

Result<StateFile> read_state(Files& files, const fs::path& path, const StateKind& kind,
                             std::size_t max_bytes) {
  const Result<std::optional<std::string>> bytes = files.read(path, max_bytes);
  if (!bytes && bytes.error().code == Code::kFailedPrecondition) {
    return damaged(files, path, bytes.error().message);
  }
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  if (!bytes->has_value()) {
    return StateFile{};
  }
  Result<std::string> content = open_envelope(**bytes, kind);
  if (!content) {
    return damaged(files, path, content.error().message);
  }
  return StateFile{.content = *std::move(content), .note = ""};
}

}  // namespace holdfast

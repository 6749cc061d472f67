#include "egw-gateway/helper/key_reader.h"

#include <utility>

#include "egw-gateway/bfd/key_file.h"

namespace holdfast::gateway {

KeyReader::KeyReader(EventLoop& loop, Files& files, Logger& log, std::filesystem::path path,
                     std::chrono::nanoseconds interval, std::optional<bfd::Keys> known, Told told)
    : loop_(loop),
      files_(files),
      log_(log),
      path_(std::move(path)),
      interval_(interval),
      known_(std::move(known)),
      told_(std::move(told)) {
  if (!path_.empty()) read_later();
}

void KeyReader::read_later() {
  timer_ = loop_.after(interval_, [this] {
    read();
    read_later();
  });
}

void KeyReader::read() {
  const Result<bfd::Keys> keys = bfd::read_key_file(files_, path_);
  const std::string trouble = keys ? "" : keys.error().message;
  if (trouble != trouble_ && !trouble.empty()) {
    log_.warning("keys cannot be read anew; those that were read last count on", {{"error", trouble}});
  }
  trouble_ = trouble;
  if (!keys || known_ == *keys) return;
  known_ = *keys;
  log_.info("keys read anew",
            {{"sends", static_cast<int>(keys->send.id)}, {"accepts_besides", keys->also_accepted.size()}});
  told_(*keys);
}

}  // namespace holdfast::gateway

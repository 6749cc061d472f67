#pragma once

#include <string.h>

#include <string>

namespace holdfast::wireguard {

/// Wipes a text that holds secrets when the scope ends.
class Wiped {
 public:
  explicit Wiped(std::string& text) : text_(text) {}
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  ~Wiped() { ::explicit_bzero(text_.data(), text_.size()); }

 private:
  std::string& text_;
};

}  // namespace holdfast::wireguard

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// The blocks of one size that ranges of one family divide into, as nodes are given them, and which of them
/// are taken. Blocks are handed out in order of the ranges, the lowest first.
class CidrBlocks {
 public:
  /// Of all ranges together: some hundred kilobytes to keep, and more than any cluster has nodes.
  static constexpr std::uint64_t kMostBlocks = std::uint64_t{1} << 20;

  /// `prefix`: of a block. Errors: kInvalidArgument, naming the range: one of another family than the first,
  /// that overlaps with one before it, or is smaller than a block; more than kMostBlocks in all.
  [[nodiscard]] static Result<CidrBlocks> divide(const std::vector<Cidr>& ranges, unsigned prefix);

  /// All blocks that have an address in common with `cidr`; again: changes nothing.
  void take(const Cidr& cidr);
  /// Takes a free one; nullopt when there is none.
  [[nodiscard]] std::optional<Cidr> take_next();
  /// Whether `cidr` is one of the blocks, or within one.
  [[nodiscard]] bool holds(const Cidr& cidr) const;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t free() const { return free_; }

 private:
  struct Range {
    Cidr cidr;
    std::vector<bool> taken;   // by the block's number
    std::uint64_t lowest = 0;  // no block before it is free
  };
  explicit CidrBlocks(unsigned prefix) : prefix_(prefix) {}

  unsigned prefix_;
  std::vector<Range> ranges_;
  std::uint64_t size_ = 0;
  std::uint64_t free_ = 0;
};

}  // namespace holdfast::flannel

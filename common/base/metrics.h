#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

/// Only grows.
class Counter {
 public:
  /// `amount` is not negative.
  void add(double amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  [[nodiscard]] double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

/// Goes up and down.
class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
  [[nodiscard]] double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

/// Counts observations by size; a value belongs to the first bucket whose bound it does not exceed.
class Histogram {
 public:
  /// Upper bounds, ascending, without +Inf, which is always there.
  explicit Histogram(std::vector<double> bounds);
  void observe(double value);
  [[nodiscard]] const std::vector<double>& bounds() const { return bounds_; }
  /// Observations of each bucket alone, the last for +Inf.
  [[nodiscard]] std::vector<std::uint64_t> counts() const;
  [[nodiscard]] double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::vector<double> bounds_;
  std::vector<std::atomic<std::uint64_t>> counts_;
  std::atomic<double> sum_{0};
};

/// Label names with their values. Values may be any bytes; every distinct set costs memory for the program's
/// life.
using Labels = std::map<std::string, std::string>;

/// The metrics of one program, rendered in the text exposition format 0.0.4 of Prometheus. Passed in, never
/// global. May be used from any thread; a metric that was asked for stays valid as long as the Metrics, and
/// asking again for the same name and labels answers the same one, so keep the reference where it is used
/// often.
///
/// Names, help and label names are constants of ours: one that is not valid, or a name asked for as another
/// type, ends the program (std::terminate). Source:
/// https://prometheus.io/docs/instrumenting/exposition_formats/
class Metrics {
 public:
  Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  ~Metrics();

  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  /// All label sets of one name have the bounds it was first asked for with.
  Histogram& histogram(std::string_view name, std::string_view help, const std::vector<double>& bounds,
                       const Labels& labels = {});

  /// Families in the order of their names, series in the order of their labels.
  [[nodiscard]] std::string render() const;

 private:
  struct Family;
  template <class Metric>
  Family& family(std::string_view name, std::string_view help, const Labels& labels);

  mutable std::mutex mutex_;  // guards families_; the metrics are atomic
  std::map<std::string, std::unique_ptr<Family>, std::less<>> families_;
};

}  // namespace holdfast

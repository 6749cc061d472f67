#include "common/base/metrics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <exception>
#include <functional>
#include <utility>
#include <variant>

namespace holdfast {
namespace {

template <class Metric>
using Series = std::map<Labels, std::unique_ptr<Metric>>;
using AnySeries = std::variant<Series<Counter>, Series<Gauge>, Series<Histogram>>;

constexpr std::array<std::string_view, 3> kTypeNames{"counter", "gauge", "histogram"};  // in AnySeries' order

void require(bool holds) {
  if (!holds) {
    std::terminate();
  }
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Of a metric ':' is allowed by the format but kept for rules of the monitoring side.
bool is_name(std::string_view name) {
  return !name.empty() && is_letter(name.front()) &&
         std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c); });
}

bool is_label_name(std::string_view name) { return is_name(name) && !name.starts_with("__") && name != "le"; }

// HELP escapes backslash and line feed; a label value the double quote as well.
std::string escaped(std::string_view text, bool quotes_too) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\' || (quotes_too && c == '"')) {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
  return out;
}

std::string number_text(double value) {
  if (std::isnan(value)) {
    return "NaN";
  }
  if (std::isinf(value)) {
    return value > 0 ? "+Inf" : "-Inf";
  }
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

// "{a="1",b="2"}", with `extra` (a whole pair) behind, or nothing when there are no labels.
std::string label_text(const Labels& labels, const std::string& extra = "") {
  std::string inner;
  for (const auto& [name, value] : labels) {
    inner += inner.empty() ? "" : ",";
    inner += name + "=\"" + escaped(value, /*quotes_too=*/true) + "\"";
  }
  inner += inner.empty() || extra.empty() ? "" : ",";
  inner += extra;
  return inner.empty() ? "" : "{" + inner + "}";
}

void append_sample(std::string& out, const std::string& name, const std::string& labels,
                   const std::string& value) {
  out += name;
  out += labels;
  out += ' ';
  out += value;
  out += '\n';
}

template <class Plain>
void append_series(std::string& out, const std::string& name, const Labels& labels, const Plain& metric) {
  append_sample(out, name, label_text(labels), number_text(metric.value()));
}

// The total is the sum of the buckets that were read, so that +Inf and _count agree while others observe.
void append_series(std::string& out, const std::string& name, const Labels& labels, const Histogram& metric) {
  const std::vector<std::uint64_t> counts = metric.counts();
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::string bound = i < metric.bounds().size() ? number_text(metric.bounds()[i]) : "+Inf";
    total += counts[i];
    append_sample(out, name + "_bucket", label_text(labels, "le=\"" + bound + "\""), std::to_string(total));
  }
  append_sample(out, name + "_sum", label_text(labels), number_text(metric.sum()));
  append_sample(out, name + "_count", label_text(labels), std::to_string(total));
}

}  // namespace

struct Metrics::Family {
  std::string help;
  AnySeries series;
};

Histogram::Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {
  require(std::ranges::adjacent_find(bounds_, std::greater_equal<>()) == bounds_.end());
  require(std::ranges::all_of(bounds_, [](double bound) { return std::isfinite(bound); }));
}

void Histogram::observe(double value) {
  // NaN is below no bound and so in the last bucket.
  const auto bucket = std::ranges::find_if(bounds_, [value](double bound) { return value <= bound; });
  counts_[static_cast<std::size_t>(bucket - bounds_.begin())].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::vector<std::uint64_t> Histogram::counts() const {
  std::vector<std::uint64_t> out;
  out.reserve(counts_.size());
  for (const auto& count : counts_) {
    out.push_back(count.load(std::memory_order_relaxed));
  }
  return out;
}

Metrics::Metrics() = default;
Metrics::~Metrics() = default;

// Called with the mutex held.
template <class Metric>
Metrics::Family& Metrics::family(std::string_view name, std::string_view help, const Labels& labels) {
  require(is_name(name));
  require(std::ranges::all_of(labels, [](const auto& label) { return is_label_name(label.first); }));
  auto& found = families_[std::string(name)];
  if (!found) {
    found = std::make_unique<Family>(Family{std::string(help), Series<Metric>{}});
  }
  require(std::holds_alternative<Series<Metric>>(found->series));
  return *found;
}

Counter& Metrics::counter(std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  auto& metric = std::get<Series<Counter>>(family<Counter>(name, help, labels).series)[labels];
  if (!metric) {
    metric = std::make_unique<Counter>();
  }
  return *metric;
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  auto& metric = std::get<Series<Gauge>>(family<Gauge>(name, help, labels).series)[labels];
  if (!metric) {
    metric = std::make_unique<Gauge>();
  }
  return *metric;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help, const std::vector<double>& bounds,
                              const Labels& labels) {
  const std::lock_guard lock(mutex_);
  auto& series = std::get<Series<Histogram>>(family<Histogram>(name, help, labels).series);
  auto& metric = series[labels];
  if (!metric) {
    metric = std::make_unique<Histogram>(bounds);
  }
  require(std::ranges::all_of(
      series, [&](const auto& other) { return !other.second || other.second->bounds() == bounds; }));
  return *metric;
}

std::string Metrics::render() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    out += "# HELP " + name + " " + escaped(family->help, /*quotes_too=*/false) + "\n";
    out += "# TYPE " + name + " ";
    out += kTypeNames[family->series.index()];
    out += '\n';
    const auto append_all = [&out, &name = name](const auto& series) {
      for (const auto& [labels, metric] : series) {
        append_series(out, name, labels, *metric);
      }
    };
    std::visit(append_all, family->series);
  }
  return out;
}

}  // namespace holdfast

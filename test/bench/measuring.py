"""How figures of benchmarks are taken."""

import pathlib
import statistics
import time


def seconds_of(action):
    started = time.monotonic()
    action()
    return time.monotonic() - started


def milliseconds(seconds):
    ordered = sorted(seconds)
    return {"p50": round(1000 * statistics.median(ordered), 2),
            "p99": round(1000 * ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))], 2)}


def process_figures(pid):
    fields = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return {"rss_kib": int(fields["VmRSS"].split()[0]), "threads": int(fields["Threads"])}

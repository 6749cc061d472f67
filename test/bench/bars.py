"""Figures of a benchmark beside their bars."""

import json
import sys


def judged(name, value, limit, beside):
    """`beside`: (ours, floor), what the same takes without us in this run; None: there is no such thing."""
    bar = {"name": name, "value": round(value, 3), "limit": limit, "pass": value <= limit}
    if beside is None:
        return bar
    ours, floor = beside
    return {**bar, "floor": round(floor, 3), "ratio": round(ours / floor, 3)}


def report(bench, figures, bars, gate):
    """Prints one JSON line on standard output, and the bars on standard error: (name, value, limit, beside), of which
    each value is to be at most its limit. The exit status: with `gate` 1 when a bar is missed."""
    bars = [judged(*bar) for bar in bars]
    for bar in bars:
        floor = f"  floor {bar['floor']}, ratio {bar['ratio']}" if "floor" in bar else ""
        print(f"{'pass' if bar['pass'] else 'MISS'}  {bar['name']:26} {bar['value']:9}  limit {bar['limit']}{floor}",
              file=sys.stderr)
    print(json.dumps({"bench": bench, **figures, "bars": bars}))
    return 0 if not gate or all(bar["pass"] for bar in bars) else 1

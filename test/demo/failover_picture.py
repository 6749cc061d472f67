"""Draws the blackouts of the gateway's demo as SVG: a row for each fault, a dot for each run and direction."""

from xml.sax.saxutils import escape

from gateway_faults import BAR_MS

WIDTH = 960
MARGIN = 24
FIRST_ROW, ROW_HEIGHT = 96, 44
AXIS_X, AXIS_WIDTH, AXIS_MS = 330, 580, 700
INK, FAINT, MISSED = "#1b1f24", "#8a939c", "#d1352b"
COLOURS = ["#2e6fb7", "#2e8b57", "#7fb2e5", "#86cfa5"]  # by direction; those of IPv6 are paler


def draw(trials, planned):
    """The whole picture, as text."""
    rows = _by_fault([*trials, planned])
    height = FIRST_ROW + ROW_HEIGHT * len(rows) + 48
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
             "<title>How long nothing came while a gateway, its way or an access point failed</title>",
             f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
             _text(MARGIN, 36, "How long nothing came, by fault", INK, 17), *_legend(list(trials[0].blackouts))]
    bottom = FIRST_ROW + ROW_HEIGHT * len(rows) - 20
    parts += _axis(bottom)
    for index, (fault, runs) in enumerate(rows.items()):
        parts += _row(fault, runs, FIRST_ROW + ROW_HEIGHT * index)
    return "\n".join(parts + ["</svg>", ""])


def _by_fault(trials):
    rows = {}
    for trial in trials:
        rows.setdefault(trial.fault, []).append(trial)
    return rows


def _x(seconds):
    return AXIS_X + AXIS_WIDTH * min(1000 * seconds, AXIS_MS) / AXIS_MS


def _legend(directions):
    parts = []
    for index, name in enumerate(directions):
        x = AXIS_X + 140 * index
        parts += [f'<circle cx="{x}" cy="58" r="5" fill="{COLOURS[index]}"/>', _text(x + 10, 62, name, INK, 13)]
    return parts


def _axis(bottom):
    parts = []
    for ms in range(0, AXIS_MS + 1, 100):
        x = _x(ms / 1000)
        colour = MISSED if ms == BAR_MS else "#d8dde2"
        parts += [f'<line x1="{x:.0f}" y1="76" x2="{x:.0f}" y2="{bottom}" stroke="{colour}"/>',
                  _text(x - 10, bottom + 18, f"{ms}", FAINT, 12)]
    return [*parts, _text(_x(0) - 44, bottom + 18, "ms", FAINT, 12)]


def _row(fault, runs, y):
    parts = [_text(MARGIN, y + 4, fault, INK, 14)]
    for run in runs:
        for index, seconds in enumerate(run.blackouts.values()):
            parts.append(f'<circle cx="{_x(seconds):.1f}" cy="{y - 9 + 6 * index}" r="4" fill="{COLOURS[index]}" '
                         f'fill-opacity="0.7"/>')
    return parts


def _text(x, y, words, colour, size):
    return f'<text x="{x:.0f}" y="{y}" fill="{colour}" font-size="{size}">{escape(words)}</text>'

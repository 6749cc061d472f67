"""Draws what the overlay's demo has seen as SVG: the nodes, and every ping of every event."""

from xml.sax.saxutils import escape

WIDTH = 960
MARGIN = 24
NODE_WIDTH, NODE_HEIGHT, NODE_GAP = 288, 96, 24
LAN_Y = 164
EVENTS_Y = 236
ROW_HEIGHT = 44
STRIP_X, STRIP_WIDTH, STRIP_HEIGHT = 380, 420, 18
ANSWERED, LOST, INK, FAINT = "#2e8b57", "#d1352b", "#1b1f24", "#8a939c"


def draw(scene, trials, pod_on):
    """The whole picture, as text."""
    height = EVENTS_Y + ROW_HEIGHT * len(trials) + 2 * MARGIN
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
             "<title>An overlay of three nodes through what happens at the edge</title>",
             f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>']
    parts += _network(scene, pod_on)
    parts += _legend()
    for index, trial in enumerate(trials):
        parts += _event(trial, EVENTS_Y + ROW_HEIGHT * index)
    return "\n".join(parts + ["</svg>", ""])


def _network(scene, pod_on):
    parts = [_line(MARGIN, LAN_Y, WIDTH - MARGIN, LAN_Y, INK), _text(MARGIN, LAN_Y + 18, "LAN 192.168.77.0/24", FAINT, 12)]
    for index, node in enumerate(scene.nodes):
        x = MARGIN + index * (NODE_WIDTH + NODE_GAP)
        middle = x + NODE_WIDTH / 2
        parts += [
            f'<rect x="{x}" y="{MARGIN}" width="{NODE_WIDTH}" height="{NODE_HEIGHT}" rx="6" fill="#f4f6f8" stroke="{INK}"/>',
            _line(middle, MARGIN + NODE_HEIGHT, middle, LAN_Y, INK),
            _text(x + 12, MARGIN + 24, f"{node.name}  {node.address}", INK, 15),
            _text(x + 12, MARGIN + 50, f"flannel.1  {node.vtep_mac()}", INK, 13),
            _text(x + 12, MARGIN + 76, f"{pod_on(node)}  {scene.addresses[node]}", INK, 13),
        ]
    return parts


def _legend():
    y = EVENTS_Y - 18
    return [_text(MARGIN, y, "till-1 pings till-2 50 times a second while ...", INK, 13),
            f'<rect x="{STRIP_X}" y="{y - 10}" width="12" height="10" fill="{ANSWERED}"/>',
            _text(STRIP_X + 18, y, "answered", FAINT, 12),
            f'<rect x="{STRIP_X + 90}" y="{y - 10}" width="12" height="10" fill="{LOST}"/>',
            _text(STRIP_X + 108, y, "lost", FAINT, 12)]


def _event(trial, y):
    pings = trial.pings
    lost = f"{pings.lost} lost, silent for {pings.silence() * 1000:.0f} ms" if pings.lost else "none lost"
    return [_text(MARGIN, y + 14, trial.name, INK, 14),
            f'<rect x="{STRIP_X}" y="{y}" width="{STRIP_WIDTH}" height="{STRIP_HEIGHT}" fill="{ANSWERED}"/>',
            *_lost_marks(pings, y), _text(STRIP_X + STRIP_WIDTH + 12, y + 14, lost, INK, 11)]


def _lost_marks(pings, y):
    """One rectangle for each run of lost pings."""
    width = STRIP_WIDTH / max(pings.sent - 1, 1)
    lost = [number for number in range(1, pings.sent) if number not in pings.replies]
    begins = [number for number in lost if number - 1 not in lost]
    for begin in begins:
        end = begin
        while end in lost:
            end += 1
        yield (f'<rect x="{STRIP_X + (begin - 1) * width:.1f}" y="{y}" width="{(end - begin) * width:.1f}" '
               f'height="{STRIP_HEIGHT}" fill="{LOST}"/>')


def _text(x, y, words, colour, size):
    return f'<text x="{x}" y="{y}" fill="{colour}" font-size="{size}">{escape(words)}</text>'


def _line(x1, y1, x2, y2, colour):
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="2"/>'

"""Stacks of calls, as py-spy samples them: whose work each was, and a picture of all (a flame graph, from the top)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

# A stack is the work of the layer of its innermost file that is named here. The rest of django/ and Python's own
# library work for whoever calls them.
LAYERS = {
    "server": ("gunicorn/", "config/worker.", "config/threads.", "config/exchange.", "config/connection."),
    "log and metrics": ("structlog/", "logging/", "config/logging.", "config/metrics."),
    "token and limit": ("authjwt/", "config/rate_limit.", "config/windows."),
    "database": ("psycopg/", "django/db/", "config/postgresql/", "tasks/statements."),
    "ninja and pydantic": ("ninja/", "pydantic/", "config/api.", "config/body.", "tasks/schemas."),
    "operation": ("tasks/",),
    "middleware": ("config/", "corsheaders/"),
    "Django": ("django/core/handlers/", "django/http/", "django/urls/"),
}
OTHERS = "other"
BEGINNINGS = ("Threads._run (", "Worker.run (")  # of config.threads and config.worker
COLOURS = ("#f2b872", "#b9c4cf", "#e59a9a", "#8fc7ea", "#b5d99c", "#f0e08a", "#c9b3e6", "#9bd8c4", "#dddddd")

WIDTH, ROW, CHARACTER = 1200, 16, 6.1  # pixels, the last of a letter
NARROWEST, SHORTEST = 1.5, 3  # pixels of a box, letters of a name; what would be less is left out

Stack = tuple[str, ...]  # "function (file:line)", the outermost first
Stacks = Counter[Stack]  # how often each was seen


def read(raw: str) -> Stacks:
    """What `py-spy record --format raw` wrote, from the server's own code on.

    A stack that does not lead there changed while it was read.
    """
    stacks: Stacks = Counter()
    for line in raw.splitlines():
        frames, _, number = line.rpartition(" ")
        calls = frames.split(";")
        begins = next((n for n, call in enumerate(calls) if call.startswith(BEGINNINGS)), None)
        if begins is not None:
            stacks[tuple(calls[begins:])] += int(number)
    return stacks


def layer(stack: Stack) -> str:
    for call in reversed(stack):
        file = call.rpartition("(")[2]
        for name, files in LAYERS.items():
            if file.startswith(files):
                return name
    return OTHERS


def shares(stacks: Stacks) -> dict[str, float]:
    """Of each layer, in the order of LAYERS."""
    seen = Counter[str]()
    for stack, number in stacks.items():
        seen[layer(stack)] += number
    return {name: seen[name] / stacks.total() for name in (*LAYERS, OTHERS) if seen[name]}


@dataclass
class Call:
    """One box of the picture: a call, and the calls made from there."""

    stack: Stack
    samples: int = 0
    calls: dict[str, "Call"] = field(default_factory=dict)

    @classmethod
    def tree(cls, stacks: Stacks) -> "Call":
        root = cls(())
        for stack, number in stacks.items():
            at = root
            at.samples += number
            for depth, call in enumerate(stack, 1):
                at = at.calls.setdefault(call, cls(stack[:depth]))
                at.samples += number
        return root


def picture(of: Mapping[str, Stacks]) -> str:
    """SVG with a flame graph for each name: as wide as time is long, callers above callees, a colour for each layer."""
    parts, top = list(_legend()), 3 * ROW
    for name, stacks in of.items():
        root = Call.tree(stacks)
        boxes = list(_boxes(root, 0.0, WIDTH / root.samples))
        parts.append(f'<text x="0" y="{top - 5}" font-size="14" fill="#808891">{escape(name)}</text>')
        parts += [_box(call, x, width, top) for call, x, width in boxes]
        top += ROW * (max(len(call.stack) for call, _, _ in boxes) + 3)
    head = f'viewBox="0 0 {WIDTH} {top - 2 * ROW}" role="img" font-family="monospace" font-size="10"'
    title = f"<title>Where the time of a request goes: {escape(', '.join(of))}</title>"
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {head}>', title, *parts, "</svg>", ""])


def _boxes(parent: Call, x: float, scale: float) -> Iterator[tuple[Call, float, float]]:
    for call in sorted(parent.calls.values(), key=lambda call: call.stack):
        width = call.samples * scale
        if width >= NARROWEST:
            yield call, x, width
            yield from _boxes(call, x, scale)
        x += width


def _box(call: Call, x: float, width: float, top: int) -> str:
    y = top + ROW * (len(call.stack) - 1)
    letters = int((width - 6) / CHARACTER)
    name = call.stack[-1].rpartition(" (")[0].replace(".<locals>", "")
    name = name if len(name) <= letters else name.rpartition(".")[2]
    box = (
        f'<rect x="{x:.1f}" y="{y}" width="{width - 0.5:.1f}" height="{ROW - 1}" fill="{_colour(layer(call.stack))}"/>'
    )
    text = _text(x + 3, y + 11, name[:letters]) if letters >= SHORTEST else ""
    return f"<g><title>{escape(call.stack[-1])}: {100 * width / WIDTH:.1f} %</title>{box}{text}</g>"


def _legend() -> Iterable[str]:
    x = 0.0
    for name in LAYERS:
        width = CHARACTER * len(name) + 8
        yield f'<rect x="{x:.1f}" y="0" width="{width:.1f}" height="{ROW - 1}" fill="{_colour(name)}"/>'
        yield _text(x + 4, 11, name)
        x += width + 6


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" fill="#1c2025">{escape(text)}</text>'


def _colour(name: str) -> str:
    return dict(zip((*LAYERS, OTHERS), COLOURS, strict=True))[name]

"""Charts as SVG, readable on light and on dark paper: groups of horizontal bars, lines over two logarithmic axes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABELS, VALUES = 820, 190, 60  # pixels: all, the names on the left, the numbers on the right
BAR, GAP, HEAD = 13, 12, 52
GREY = "#808891"
HIGH, LOW, SIDE, GUTTER = 30, 230, 44, 96  # of a panel: where it begins and ends, room for numbers and for names
FONT = "-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
COLOURS = ("#1f9d6b", "#58b98f", "#9ad4ba", "#d9822b", "#a371f7", "#4a8fd8", GREY)

Groups = Mapping[str, Sequence[tuple[str, float]]]  # by the group's name, its bars: name and value


def bars(title: str, groups: Groups) -> str:
    """Draw every group with its bars; a name has the same colour in all."""
    names = list(dict.fromkeys(name for group in groups.values() for name, _ in group))
    largest = max(value for group in groups.values() for _, value in group)
    height = HEAD + sum(GAP + BAR * len(group) for group in groups.values())
    lines = [
        *_head(title, height),
        f'<text x="0" y="14" font-size="14" font-weight="600">{escape(title)}</text>',
        *_legend(names),
    ]
    top = HEAD
    for label, group in groups.items():
        middle = top + BAR * len(group) / 2 + 4
        lines.append(
            f'<text x="{LABELS - 10}" y="{middle:.0f}" text-anchor="end" font-size="13">{escape(label)}</text>'
        )
        for n, (name, value) in enumerate(group):
            lines += _bar(top + BAR * n, value, largest, COLOURS[names.index(name) % len(COLOURS)])
        top += BAR * len(group) + GAP
    return "\n".join([*lines, "</svg>", ""])


def _head(title: str, height: float) -> Iterator[str]:
    size = f'viewBox="0 0 {WIDTH} {height}" role="img"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}" font-size="11" fill="{GREY}">'
    yield f"<title>{escape(title)}</title>"


def _legend(names: Sequence[str]) -> Iterator[str]:
    x = 0.0
    for name, colour in zip(names, COLOURS, strict=False):
        yield f'<rect x="{x:.0f}" y="26" width="10" height="10" fill="{colour}"/>'
        yield f'<text x="{x + 14:.0f}" y="35">{escape(name)}</text>'
        x += 28 + 5.9 * len(name)


def _bar(y: float, value: float, largest: float, colour: str) -> Iterator[str]:
    length = (WIDTH - LABELS - VALUES) * value / largest
    yield f'<rect x="{LABELS}" y="{y}" width="{length:.1f}" height="{BAR - 2}" fill="{colour}"/>'
    yield f'<text x="{LABELS + length + 5:.1f}" y="{y + 10}">{value:.3g}</text>'


Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """Lines by name. Both axes are logarithmic, so that what grows in proportion is a straight diagonal."""

    title: str
    across: str
    lines: Mapping[str, Points]

    @property
    def xs(self) -> list[float]:
        return sorted({x for points in self.lines.values() for x, _ in points})

    @property
    def decades(self) -> tuple[int, int]:
        """Powers of ten between which all values lie."""
        ys = [y for points in self.lines.values() for _, y in points]
        low = math.floor(math.log10(min(ys)))
        return low, max(math.ceil(math.log10(max(ys))), low + 1)


def panels(title: str, drawn: Sequence[Panel]) -> str:
    """Two in a row."""
    parts = []
    for n, panel in enumerate(drawn):
        parts += [f'<g transform="translate({n % 2 * WIDTH / 2:.0f} {n // 2 * (LOW + 50)})">', *_panel(panel), "</g>"]
    return "\n".join([*_head(title, math.ceil(len(drawn) / 2) * (LOW + 50)), *parts, "</svg>", ""])


def _panel(panel: Panel) -> Iterator[str]:
    right = WIDTH / 2 - GUTTER
    low, high = panel.decades

    def across(x: float) -> float:
        first, last = math.log(panel.xs[0]), math.log(panel.xs[-1])
        return SIDE + (right - SIDE - 8) * (math.log(x) - first) / (last - first)

    def down(y: float) -> float:
        return LOW - (LOW - HIGH) * (math.log10(y) - low) / (high - low)

    yield f'<text x="0" y="14" font-size="13" font-weight="600">{escape(panel.title)}</text>'
    for power in range(low, high + 1):
        y = down(10**power)
        yield f'<path d="M{SIDE} {y:.1f}H{right:.0f}" stroke="{GREY}" stroke-opacity="0.35"/>'
        yield f'<text x="{SIDE - 5}" y="{y + 4:.1f}" text-anchor="end">{_number(10**power)}</text>'
    for x in panel.xs:
        yield f'<text x="{across(x):.1f}" y="{LOW + 15}" text-anchor="middle">{_number(x)}</text>'
    yield f'<text x="{(SIDE + right) / 2:.0f}" y="{LOW + 30}" text-anchor="middle">{escape(panel.across)}</text>'
    ends = _apart([down(points[-1][1]) for points in panel.lines.values()])
    for (name, points), colour, end in zip(panel.lines.items(), (*COLOURS[:1], *COLOURS[3:]), ends, strict=False):
        path = "L".join(f"{across(x):.1f} {down(y):.1f}" for x, y in points)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield from (f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="2.5" fill="{colour}"/>' for x, y in points)
        yield f'<text x="{right + 3:.0f}" y="{end + 4:.1f}" fill="{colour}">{escape(name)}</text>'


def _apart(wanted: Sequence[float]) -> list[float]:
    """The same places, moved down where a name would stand upon another."""
    placed: dict[int, float] = {}
    free = 0.0
    for n in sorted(range(len(wanted)), key=wanted.__getitem__):
        placed[n] = max(wanted[n], free)
        free = placed[n] + 12
    return [placed[n] for n in range(len(wanted))]


def _number(value: float) -> str:
    return f"{value:,.10g}"

"""The picture of ARCHITECTURE.md, drawn from the layers of pyproject.toml and the steps of the page.

    make architecture

A row is a layer of import-linter's, which is exhaustive: a module that is new stands in one, or `make check` fails.
"""

import re
import tomllib
from collections.abc import Iterator
from html import escape
from itertools import pairwise
from typing import NamedTuple

from tests.live import ROOT

PAGE = ROOT / "ARCHITECTURE.md"
PICTURE = ROOT / "docs" / "images" / "architecture.svg"
PACKAGES = ("config", "tasks", "authjwt")

WIDTH, EDGE, PADDING = 960, 16, 14  # pixels
BOX, LINE, GAP, BETWEEN = 88, 24, 8, 10  # a box: width and height; between boxes of a row, and between rows
HEAD = 40  # of a panel, for its name
FOOT = 34  # for what the picture means
FONT_WIDTH = 5.5  # of a small digit
FONT = "-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
STYLE = """
:root { --paper: #fff; --panel: #f6f8fa; --box: #fff; --edge: #d0d7de; --text: #1f2328; --soft: #656d76;
  --way: #1a7f5a; --tint: #dff3e9; --number: #fff }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --panel: #151b23; --box: #0d1117; --edge: #3d444d;
  --text: #e6edf3; --soft: #9198a1; --way: #3fb886; --tint: #12352a; --number: #0d1117 } }
text { fill: var(--text) } .soft { fill: var(--soft) } .panel { fill: var(--panel); stroke: var(--edge) }
.box { fill: var(--box); stroke: var(--edge) } .on-the-way { fill: var(--tint); stroke: var(--way) }
.way { fill: none; stroke: var(--way); stroke-width: 2; opacity: 0.6 }
.number { fill: var(--way) } .number + text { fill: var(--number) }
"""

MEANING = (
    "A module may import from the rows below its own; config from tasks and authjwt, tasks from authjwt. "
    "Numbers: the way of a request."
)

Layers = list[list[str]]
Numbers = dict[str, list[int]]  # of the steps that a module is in


class Step(NamedTuple):
    """One of the way of a request: its number and name on the page, and what it names there as `file:function`."""

    number: int
    name: str
    functions: list[str]

    @property
    def modules(self) -> list[str]:
        """Where these are: `config.worker`, `tasks.api`. Of a package the first level."""
        files = (function.partition(":")[0].removesuffix(".py").split("/") for function in self.functions)
        return list(dict.fromkeys(".".join(parts[:2]) for parts in files))

    @property
    def stops(self) -> list[str]:
        """Those that the line goes through: of config, which it crosses up and down, the first."""
        of_config = [module for module in self.modules if module.startswith("config.")]
        return [module for module in self.modules if module not in of_config[1:]]


class Panel(NamedTuple):
    """Where a package is drawn."""

    left: float
    top: float
    width: float


class Place(NamedTuple):
    """The middle of a box."""

    x: float
    y: float


def steps() -> list[Step]:
    """The way of a request, as the page has it."""
    section = PAGE.read_text().partition("## The way of a request")[2].partition("\n## ")[0]
    found = re.findall(r"^(\d+)\. \*\*(.*?)\*\*(.*?)(?=^\d+\. |\Z)", section, re.DOTALL | re.MULTILINE)
    return [Step(int(number), name, re.findall(r"`(\S+\.py:[\w.]+)`", text)) for number, name, text in found]


def layers(package: str) -> Layers:
    """Its modules, row by row: those of a row may import what is in the rows below."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (one for one in contracts if one.get("containers") == [package])
    return [re.split(r" \| ", row) for row in contract["layers"]]


def purpose(package: str) -> str:
    """What it is for, as the page has it."""
    match = re.search(rf"^### `{package}`: (.*)$", PAGE.read_text(), re.MULTILINE)
    assert match, f"{PAGE.name} has no heading for {package}"
    return match[1]


def draw() -> str:
    """The picture, as SVG."""
    way = steps()
    numbers: Numbers = {}
    for step in way:
        for module in step.modules:
            numbers.setdefault(module, []).append(step.number)
    tops, height = _tops()
    places = {module: place for package, at in tops.items() for module, place in _places(package, at, numbers)}
    size = f'viewBox="0 0 {WIDTH} {height:.0f}" role="img"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}" font-size="12">',
        "<title>The modules in their layers, and the way of a request through them</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height:.0f}" rx="8" style="fill: var(--paper)"/>',
        *(line for package, at in tops.items() for line in _panel(package, at)),
        *(_curve(places[here], places[there]) for here, there in pairwise(stop for step in way for stop in step.stops)),
        *(line for module, place in places.items() for line in _box(module, place, numbers.get(module, []))),
        *_legend(way, tops["authjwt"], height),
        f'<text class="soft" x="{EDGE}" y="{height - 13:.0f}">{MEANING}</text>',
        "</svg>",
    ]
    return "\n".join([*lines, ""])


def _tops() -> tuple[dict[str, Panel], float]:
    """Where the panels are, config above the other two; and how high all of it is."""
    below = EDGE + _height("config") + EDGE
    left = _width("tasks") + 2 * EDGE
    tops = {
        "config": Panel(EDGE, EDGE, WIDTH - 2 * EDGE),
        "tasks": Panel(EDGE, below, _width("tasks")),
        "authjwt": Panel(left, below, WIDTH - EDGE - left),
    }
    return tops, below + max(_height("tasks"), _height("authjwt")) + FOOT


def _width(package: str) -> float:
    return max(map(len, layers(package))) * (BOX + GAP) - GAP + 2 * PADDING


def _height(package: str) -> float:
    return HEAD + len(layers(package)) * (LINE + BETWEEN) - BETWEEN + PADDING


def _panel(package: str, at: Panel) -> Iterator[str]:
    size = f'x="{at.left}" y="{at.top}" width="{at.width}" height="{_height(package)}"'
    yield f'<rect class="panel" {size} rx="8"/>'
    yield (
        f'<text x="{at.left + PADDING}" y="{at.top + 25}"><tspan font-size="15" font-weight="600">{package}</tspan>'
        f'<tspan class="soft" dx="10">{escape(purpose(package))}</tspan></text>'
    )


def _places(package: str, at: Panel, numbers: Numbers) -> Iterator[tuple[str, Place]]:
    """Rows in the middle of the panel, and in the middle of a row what is on the way."""
    for n, row in enumerate(layers(package)):
        modules = _centred([f"{package}.{name}" for name in row], numbers)
        for column, module in enumerate(modules):
            x = at.left + at.width / 2 + (column - (len(modules) - 1) / 2) * (BOX + GAP)
            yield module, Place(x, at.top + HEAD + n * (LINE + BETWEEN) + LINE / 2)


def _centred(modules: list[str], numbers: Numbers) -> list[str]:
    way = sorted((module for module in modules if module in numbers), key=lambda module: numbers[module])
    others = [module for module in modules if module not in numbers]
    half = (len(others) + 1) // 2
    return [*others[:half], *way, *others[half:]]


def _box(module: str, place: Place, numbers: list[int]) -> Iterator[str]:
    package, _, name = module.partition(".")
    left, top = place.x - BOX / 2, place.y - LINE / 2
    shown = f"{name}/" if (ROOT / package / name / "__init__.py").is_file() else name
    kind = "box on-the-way" if numbers else "box"
    yield f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{BOX}" height="{LINE}" rx="5"/>'
    yield f'<text x="{place.x:.1f}" y="{place.y + 4:.1f}" text-anchor="middle">{shown}</text>'
    if numbers:
        yield from _number(", ".join(map(str, numbers)), Place(left + 4, top))


def _number(text: str, place: Place) -> Iterator[str]:
    width = 9 + FONT_WIDTH * len(text)
    left, top = place.x - 8, place.y - 7
    yield f'<rect class="number" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="14" rx="7"/>'
    yield f'<text x="{left + width / 2:.1f}" y="{top + 10.5:.1f}" font-size="10" text-anchor="middle">{text}</text>'


def _curve(here: Place, there: Place) -> str:
    """Down on the left, up on the right, and the further the rounder."""
    down = there.y - here.y
    bow = -0.3 * down
    bend = f"{here.x + bow:.1f} {here.y + down / 4:.1f} {there.x + bow:.1f} {there.y - down / 4:.1f}"
    return f'<path class="way" d="M{here.x:.1f} {here.y:.1f}C{bend} {there.x:.1f} {there.y:.1f}"/>'


def _legend(way: list[Step], above: Panel, height: float) -> Iterator[str]:
    """The steps by name, in two columns, in the corner that the shortest panel leaves free."""
    half = (len(way) + 1) // 2
    top = height - FOOT - half * 22 + 8
    for n, step in enumerate(way):
        place = Place(above.left + 8 + n // half * above.width * 0.56, top + n % half * 22)
        yield from _number(str(step.number), place)
        yield f'<text x="{place.x + 16:.1f}" y="{place.y + 4:.1f}">{escape(step.name)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(draw())

"""The picture of the first five minutes: `make screenshots` types the README's commands and draws what comes back.

A real clone, a real `make run`, real answers, in two terminals. Waiting and tokens are shortened, and the port is shown
as the usual one, which may be taken here. No part of the suite, which compares the picture with the README.
"""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path

from tests import tour
from tests.live import ROOT
from tests.parts.address import free_address

IMAGE = ROOT / "docs" / "images" / "first-five-minutes.svg"
START_SECONDS, SETTLED_SECONDS = 300, 1.0
COLUMNS, ROWS = 102, (16, 11)  # of both terminals; of the upper and the lower one
LINE, SIZE, MARGIN, BAR = 18, 13.5, 14, 26  # pixels: a row, its letters, around the text, a title
WIDTH = round(MARGIN * 2 + COLUMNS * SIZE * 0.602)
USUAL = "127.0.0.1:8000"
TITLES = ("a terminal", "another one, in the same folder")
LONGEST_PAUSE, BEFORE_TYPING, PER_LETTER, TYPING_AT_MOST = 0.7, 0.8, 0.02, 1.6  # seconds
GRAPHIC = re.compile(r"\x1b\[([\d;]*)m")
STYLE = """
text { font: 13.5px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace }
text { fill: #d7dde4; white-space: pre }
.title { fill: #9aa4af; font-family: -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 12px }
.typed { fill: #fff; font-weight: 600 } .bold { font-weight: 600 } .dim { fill: #8b949e }
.red { fill: #ff7b72 } .green { fill: #56d364 } .yellow { fill: #e3b341 } .blue { fill: #79c0ff }
.magenta { fill: #d2a8ff } .cyan { fill: #76e3ea }
.late { animation: hidden }
@keyframes hidden { from, to { visibility: hidden } }
@keyframes typing { from { clip-path: inset(0 100% 0 0) } }
@media (prefers-reduced-motion: reduce) { * { animation: none !important } }
"""
COLOURS = ("red", "green", "yellow", "blue", "magenta", "cyan")
NAMES = {"1": "bold", "2": "dim"} | {str(31 + n): name for n, name in enumerate(COLOURS)}  # of graphic renditions


@dataclass(frozen=True)
class Event:
    """Text that appeared in a terminal."""

    terminal: int
    text: str
    when: float
    typed: bool = False


@dataclass
class Recording:
    events: list[Event] = field(default_factory=list)

    def note(self, terminal: int, text: str, *, typed: bool = False) -> None:
        text = re.sub(r"127\.0\.0\.1:\d+", USUAL, re.sub(r"eyJ[\w.-]{20,}", "eyJhbGciOi…", text)).replace("\r", "")
        self.events.append(Event(terminal, text, time.monotonic(), typed))

    def type(self, terminal: int, script: str) -> None:
        prompt = "$ "
        for line in script.splitlines():
            self.note(terminal, prompt + line, typed=True)
            prompt = "> " if line.endswith("\\") else "$ "

    def printed(self, terminal: int) -> str:
        return "".join(event.text for event in self.events if event.terminal == terminal)


def record() -> list[Event]:
    """Do what the README says, in an empty folder."""
    recording = Recording()
    start, *others = tour.steps(tour.FIRST)
    clone, run = start.script.splitlines()
    with tempfile.TemporaryDirectory() as folder, tour.Shell(Path(folder), _environment()) as shell:
        recording.type(0, clone)
        recording.note(0, shell.run(f"{clone} 2>&1"))
        recording.type(0, run)
        port = free_address().port
        service = _in_terminal(run, Path(folder) / "tasks-api", port, recording)
        try:
            _wait_for(service, recording, "Booting worker")
            for step in others:
                recording.type(1, step.script)
                recording.note(1, shell.run(step.script.replace(USUAL, f"127.0.0.1:{port}")) + "\n")
                time.sleep(SETTLED_SECONDS)
            return recording.events.copy()
        finally:
            os.killpg(service.pid, signal.SIGINT)
            service.wait()


def _environment() -> dict[str, str]:
    """A newcomer's: nothing is set that the service reads. pip keeps to itself what it thinks of this machine."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {"REPOSITORY": str(ROOT), "WEB_CONCURRENCY": "1", "PIP_QUIET": "3", "TERM": "xterm-256color"}


def _in_terminal(command: str, folder: Path, port: int, recording: Recording) -> subprocess.Popen[bytes]:
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS[0], COLUMNS, 0, 0))
    process = subprocess.Popen(
        ["sh", "-c", command],
        cwd=folder,
        env=_environment() | {"PORT": str(port)},
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)

    def read() -> None:
        with os.fdopen(ours, encoding="utf-8", newline="") as terminal:
            try:
                for line in terminal:
                    recording.note(0, line)
            except OSError:  # the end of a terminal
                return

    threading.Thread(target=read, daemon=True).start()
    return process


def _wait_for(service: subprocess.Popen[bytes], recording: Recording, text: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while text not in recording.printed(0):
        if time.monotonic() > deadline or service.poll() is not None:
            raise RuntimeError(recording.printed(0))
        time.sleep(0.1)


@dataclass(frozen=True)
class Row:
    """One row of a terminal: pieces of text by style, when it begins to show, and how long it takes to type."""

    pieces: list[tuple[str, str]]
    at: float
    takes: float = 0.0


def rows(events: list[Event]) -> tuple[list[list[Row]], float]:
    """The rows of both terminals, and how long it all takes."""
    terminals: list[list[Row]] = [[], []]
    now = BEFORE_TYPING
    for before, event in pairwise([events[0], *events]):
        now += BEFORE_TYPING if event.typed else min(event.when - before.when, LONGEST_PAUSE)
        takes = min(len(event.text) * PER_LETTER, TYPING_AT_MOST) if event.typed else 0.0
        pieces = _wrapped(event.text, "typed" if event.typed else "")
        for n, row in enumerate(pieces):
            share = takes / len(pieces)
            terminals[event.terminal].append(Row(row, now + n * share, share))
        now += takes
    return terminals, now


def _wrapped(text: str, style: str) -> list[list[tuple[str, str]]]:
    """Rows of at most COLUMNS letters, in pieces of one style."""
    found = []
    for line in text.splitlines():
        letters: list[tuple[str, str]] = []
        for n, part in enumerate(GRAPHIC.split(line)):
            if n % 2:
                style = next((NAMES[code] for code in reversed(part.split(";")) if code in NAMES), "")
            else:
                letters += [(style, letter) for letter in part]
        found += [letters[at : at + COLUMNS] for at in range(0, len(letters) or 1, COLUMNS)]
    return [
        [(style, "".join(letter for _, letter in piece)) for style, piece in groupby(row, key=itemgetter(0))]
        for row in found
    ]


def picture(terminals: list[list[Row]], seconds: float) -> str:
    """Draw both terminals. Who wants no motion, or cannot have it, sees them as they are in the end."""
    tops = [0, BAR + LINE * ROWS[0] + MARGIN]
    height = tops[1] + BAR + LINE * ROWS[1] + MARGIN
    scrolling = [_scroll(n, terminal, seconds) for n, terminal in enumerate(terminals)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">',
            "<title>The first five minutes: clone, make run, create a task, list the tasks</title>",
            f"<style>{STYLE}{''.join(scrolling)}</style>",
            f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#161b22" stroke="#6e7681"/>',
            f'<path d="M0 {tops[1]}H{WIDTH}" stroke="#6e7681"/>',
            *(line for n, terminal in enumerate(terminals) for line in _terminal(n, terminal, tops[n])),
            "</svg>\n",
        ]
    )


def _terminal(n: int, terminal: list[Row], top: int) -> Iterator[str]:
    yield f'<text x="{MARGIN}" y="{top + 17}" class="title">{TITLES[n]}</text>'
    yield f'<svg y="{top + BAR}" width="{WIDTH}" height="{LINE * ROWS[n]}"><g class="t{n}">'
    for number, row in enumerate(terminal):
        pieces = [
            f'<tspan class="{style}">{escape(piece)}</tspan>' if style else escape(piece) for style, piece in row.pieces
        ]
        kind, timing = _animation(row)
        place = f'x="{MARGIN}" y="{LINE * number + 13}"'
        yield f'<text {place} class="{kind}" style="{timing}" xml:space="preserve">{"".join(pieces)}</text>'
    yield "</g></svg>"


def _animation(row: Row) -> tuple[str, str]:
    if not row.takes:
        return "late", f"animation-duration: {row.at:.2f}s"
    letters = sum(len(piece) for _, piece in row.pieces)
    return "typing", f"animation: typing {row.takes:.2f}s steps({letters}) {row.at:.2f}s backwards"


def _scroll(n: int, terminal: list[Row], seconds: float) -> str:
    """Keep the newest row in sight."""
    steps = ["0% { transform: none }"]
    beyond = 0
    for beyond, row in enumerate(terminal[ROWS[n] :], start=1):
        steps.append(f"{100 * row.at / seconds:.2f}% {{ transform: translateY({-LINE * beyond}px) }}")
    end = f"transform: translateY({-LINE * beyond}px); animation: scroll{n} {seconds:.2f}s step-end"
    return f".t{n} {{ {end} }}\n@keyframes scroll{n} {{ {' '.join(steps)} }}\n"


if __name__ == "__main__":
    IMAGE.write_text(picture(*rows(record())))

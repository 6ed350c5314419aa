"""What was measured, and what is read out of it: medians over the alternations, and ratios within each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.systems import SYSTEMS

Turn = dict[str, Any]  # one system's turn, see bench.measure
NAMES = {system.key: system.name for system in SYSTEMS}
TITLES = {
    "one": "GET one",
    "list": "GET list of 50",
    "page": "page of 50 of 100,000",
    "post": "POST",
    "put": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "mixed": "mixed",
}


def p50(turn: Turn) -> float:
    return float(turn["p50"])  # milliseconds


def p99(turn: Turn) -> float:
    return float(turn["p99"])


def per_second(turn: Turn) -> float:
    return float(turn["per_second"])


def per_cpu_second(turn: Turn) -> float:
    """Of the server's CPU alone; the database's is reported apart."""
    return float(turn["requests"]) / max(float(turn["server_cpu"]), 0.01)


@dataclass(frozen=True)
class Spread:
    """Of the alternations."""

    median: float
    least: float
    most: float


@dataclass(frozen=True)
class Results:
    machine: Mapping[str, str]
    records: Sequence[Turn]

    @property
    def systems(self) -> list[str]:
        found = {record["system"] for record in self.of_kind("start")}
        return [key for key in NAMES if key in found]

    def seconds_to_start(self, system: str) -> float:
        return median(float(start["seconds"]) for start in self.of_kind("start") if start["system"] == system)

    def of_kind(self, kind: str) -> list[Turn]:
        return [record for record in self.records if record["kind"] == kind]

    def distance(self, case: str) -> float:
        """Seconds of a round trip to the database at a distance."""
        (seconds,) = (float(record["seconds"]) for record in self.of_kind("distance") if record["case"] == case)
        return seconds

    def cases(self, kind: str) -> list[str]:
        return list(dict.fromkeys(turn["case"] for turn in self.of_kind(kind)))

    def connections(self, kind: str) -> list[int]:
        return sorted({turn["connections"] for turn in self.of_kind(kind)})

    def turns(self, kind: str, case: str, connections: int, system: str) -> dict[int, Turn]:
        """By alternation."""
        wanted = {"case": case, "connections": connections, "system": system}
        return {turn["alternation"]: turn for turn in self.of_kind(kind) if wanted.items() <= turn.items()}

    def typical(self, kind: str, case: str, connections: int, system: str, of: Callable[[Turn], float]) -> float | None:
        """The median, if the system took part."""
        turns = self.turns(kind, case, connections, system).values()
        return median(map(of, turns)) if turns else None

    def ratio(self, case: str, connections: int, system: str, to: str, of: Callable[[Turn], float]) -> Spread | None:
        """How much the system has of what `to` has, alternation by alternation."""
        ours, theirs = (self.turns("near", case, connections, key) for key in (system, to))
        ratios = [of(ours[nth]) / of(theirs[nth]) for nth in ours.keys() & theirs.keys()]
        return Spread(median(ratios), min(ratios), max(ratios)) if ratios else None

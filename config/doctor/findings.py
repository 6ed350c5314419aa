"""What the doctor says, and how it never waits for long."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and what to do about it."""

    check: str
    state: State
    message: str
    advice: str = ""


Check = Callable[[], Iterable[Finding]]


def examine(checks: Sequence[Check], deadline: float) -> list[Finding]:
    """Run all checks at once, each for itself. What is not done by the deadline (seconds from now) is a failure.

    A check that waits for ever does so in a thread that nobody waits for.
    """
    ends_at = time.monotonic() + deadline
    running = [_Running(check) for check in checks]
    return [finding for check in running for finding in check.findings(ends_at)]


class _Running:
    def __init__(self, check: Check) -> None:
        self._check = check
        self._name = check.__name__.replace("_", " ")
        self._findings: list[Finding] = []
        self._thread = threading.Thread(target=self._run, name=f"doctor-{self._name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for finding in self._check():
                self._findings.append(finding)
        except Exception as exc:  # noqa: BLE001 (a broken part must not keep the others from being looked at)
            self._findings.append(Finding(self._name, State.FAIL, f"{type(exc).__name__}: {exc}"))

    def findings(self, ends_at: float) -> list[Finding]:
        self._thread.join(max(0, ends_at - time.monotonic()))
        found = list(self._findings)
        if self._thread.is_alive():
            found.append(Finding(self._name, State.FAIL, "no answer in time", "See whether the other side hangs."))
        return found

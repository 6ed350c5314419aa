"""CPU time and memory of a process and all that came from it, out of /proc."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PPID, UTIME, CUTIME = 1, 11, 13  # fields of /proc/<pid>/stat, counted from behind the name


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def processes(root: int) -> list[int]:
    """The process `root` and its descendants."""
    parents = dict(_parents())
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):  # it has ended
                yield int(entry.name), int(_stat(int(entry.name))[PPID])


def cpu_seconds(root: int) -> float:
    """Of the process and its descendants, those included that have ended and been waited for."""
    return sum(cpu_times(root))


def cpu_times(root: int) -> tuple[float, float]:
    """Of these seconds, those in the programs' own code and those in the kernel for them."""
    ticks = [0, 0]
    for pid in processes(root):
        with suppress(OSError):
            user, system, user_ended, system_ended = map(int, _stat(pid)[UTIME : CUTIME + 2])
            ticks = [ticks[0] + user + user_ended, ticks[1] + system + system_ended]
    return ticks[0] / TICKS, ticks[1] / TICKS


def memory(root: int) -> dict[str, int | str]:
    """Bytes of the process and its descendants together, and of the largest of them, which is the worker.

    Shared pages are divided among those who share them. Where the kernel does not tell how, they count for each.
    """
    try:
        sizes, how = [_bytes(pid, "smaps_rollup", "Pss:") for pid in processes(root)], "PSS"
    except (PermissionError, FileNotFoundError):
        sizes, how = [_bytes(pid, "status", "VmRSS:") for pid in processes(root)], "RSS"
    return {"all": sum(sizes), "worker": max(sizes), "how": how}


def _bytes(pid: int, file: str, name: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(name):
            return 1024 * int(line.split()[1])
    return 0

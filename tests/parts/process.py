"""A program that listens on a port."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from tests.parts.address import free_address

START_SECONDS, STOP_SECONDS = 20.0, 10.0


class Process:
    """A program in the foreground, with a folder and an address of its own; started by entering it as a context."""

    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        self.address = free_address()
        self._folder = tempfile.TemporaryDirectory(prefix=f"{type(self).__name__}-")
        self.home = Path(self._folder.name)
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """Return what to run, having written what it reads."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.kill()
        self._folder.cleanup()

    def start(self) -> None:
        """Start the program and wait until it listens. Raises RuntimeError with the end of its log if it does not."""
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        # Should we be killed, the pipe closes, and the shell ends what we cannot end any more.
        watch = ["/bin/sh", "-c", f"read line || kill -9 {self._process.pid}"]
        self._lifeline = subprocess.Popen(watch, stdin=subprocess.PIPE, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                end = (self.home / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self._process.args!r} did not start (status {self._process.poll()}):\n{end}")
            time.sleep(0.005)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(self.address) == 0

    def stop(self) -> None:
        """Ask the program to end, and wait for it."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End the program by force; harmless if it does not run."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let the program do nothing, as if its machine had stopped; its connections stay."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it do nothing for a while."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def _send(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._lifeline is not None:
            self._send(how)
            self._process.wait(STOP_SECONDS)
            self._lifeline.communicate(b"\n")
            self._process = self._lifeline = None


def signal_all(pid: int, how: signal.Signals) -> None:
    """Send to a process and to those it started; it is halted first, so that it starts no more of them meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    for each in [*children(pid), pid]:
        with suppress(ProcessLookupError):
            os.kill(each, how)


def children(pid: int) -> list[int]:
    """The processes that a process has started, and that run."""
    listing = Path(f"/proc/{pid}/task/{pid}/children")
    if listing.exists():
        return [int(child) for child in listing.read_text().split()]
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(child) for child in found.stdout.split()]

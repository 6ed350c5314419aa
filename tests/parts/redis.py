"""A Redis of the test's own."""

from tests.debian import program
from tests.parts.process import Process


class Redis(Process):
    """Keeps nothing over a stop, as a Redis that counts for a rate limit need not."""

    @property
    def url(self) -> str:
        return f"redis://{self.address.host}:{self.address.port}/0"

    def command(self) -> list[str]:
        options = {
            "bind": self.address.host,
            "port": self.address.port,
            "dir": self.home,
            "save": "",
            "appendonly": "no",
        }
        flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        return [str(program("redis-server")), *flags]

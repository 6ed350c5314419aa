"""Conditional requests: what RFC 9110, section 13, has of If-Match and If-None-Match, for a single task."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ninja.errors import ValidationError

# A list may have empty elements, which do not count (section 5.6.1). In a form that never has to go back.
HEADER = r"""^(\*|[ \t,]*(W/)?"[!#-~\u0080-\u00ff]*"([ \t]*,([ \t]*(W/)?"[!#-~\u0080-\u00ff]*")?)*[ \t]*)$"""
_TAG = re.compile(r'(?:W/)?"[^"]*"')


class PreconditionFailed(Exception):
    """The task is there, and is not what the caller expects it to be."""


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What the task's entity tag has to be one of, and must not be any of; None is no condition.

    `If-Match: *` is none either: without a task the answer is 404, whatever the condition.
    """

    match: list[str] | None = None
    none_match: list[str] | None = None
    unless_any: bool = False  # If-None-Match: *

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Preconditions":
        """Read them from a request's headers, in WSGI's form. Raises ValidationError."""
        if "HTTP_IF_MATCH" not in headers and "HTTP_IF_NONE_MATCH" not in headers:
            return ALWAYS
        match, none_match = _tags(headers, "If-Match"), _tags(headers, "If-None-Match")
        return cls(
            match,  # compared strongly: ours are strong, and a weak one is never equal
            none_match and [tag.removeprefix("W/") for tag in none_match],  # compared weakly
            headers.get("HTTP_IF_NONE_MATCH") == "*",
        )

    @property
    def values(self) -> dict[str, list[str]]:
        """Those that a statement can judge, by name."""
        given = {"match": self.match, "none_match": self.none_match}
        return {name: tags for name, tags in given.items() if tags is not None}

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.values)

    def met_by(self, tag: str) -> bool:
        """Whether If-Match lets this task be read."""
        return self.match is None or tag in self.match

    def known(self, tag: str) -> bool:
        """Whether the caller has what this is the tag of already (If-None-Match)."""
        return self.unless_any or tag.removeprefix("W/") in (self.none_match or ())

    def check(self, tag: str) -> None:
        """Judge a write. Raises PreconditionFailed."""
        if self.known(tag) or not self.met_by(tag):
            raise PreconditionFailed


ALWAYS = Preconditions()


def _tags(headers: Mapping[str, str], name: str) -> list[str] | None:
    """The tags that a header lists; None without one, and for `*`. Several lines of it come joined by commas."""
    value = headers.get(f"HTTP_{name.upper().replace('-', '_')}", "*")
    if not re.fullmatch(HEADER, value):
        problem = {"loc": ("header", name), "type": "header", "msg": "must be * or a list of quoted entity tags"}
        raise ValidationError([problem])
    return None if value == "*" else _TAG.findall(value)

"""JSON as RFC 8259 advises it, without what Python's parser lets pass."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn


def parse_object(document: bytes) -> Mapping[str, Any]:
    """Read one JSON object.

    Raises ValueError for anything that two parsers could read differently (RFC 8725, section 2.6): an encoding other
    than UTF-8, a byte order mark, duplicate keys at any depth, NaN and Infinity; and for nesting or integers beyond
    what Python can take.
    """
    try:
        value = _DECODER.decode(document.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 (one exception for every unusable document)
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate keys")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_no_constant)

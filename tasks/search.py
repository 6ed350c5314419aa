"""Words to look for, as regular expressions that mean the same whatever the locale of the database.

Case is folded as Unicode has it, so `ß` is `ss`; only that `İ` is an `i`, with or without its dot. Listing the letters
is quicker than folding each text, and asks nothing of PostgreSQL but UTF-8.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from tasks.schemas import WHITE_SPACE

CASED = 0x20000  # beyond them no character has a case
CACHED = 30  # expressions that PostgreSQL keeps compiled (32, less some); with more, it compiles each for each text
LONGEST = 3  # letters that one character folds to: ﬃ
LONG = 6  # letters that fold together in so many ways that not all are worth listing: sssssss
DOT = "\u0307"
_SPACES = re.compile(f"[{WHITE_SPACE}]+")


def patterns(q: str) -> list[str]:
    """Return regular expressions, PostgreSQL's AREs, all of which match a text if it has each word of `q`."""
    words = sorted({fold(word) for word in _SPACES.split(q)} - {""})
    groups = [[_pattern(word) for word in words[start::CACHED]] for start in range(min(CACHED, len(words)))]
    return [group[0] if len(group) == 1 else "^" + "".join(f"(?=.*{one})" for one in group) for group in groups]


def fold(text: str) -> str:
    """Make texts equal that differ in case only."""
    return text.casefold().replace(f"i{DOT}", "i")


def _pattern(word: str) -> str:
    """Put the ways to write each part of the word after each other; a part ends where no character crosses its end."""
    steps, start, found = _steps(word), 0, []
    for end in range(1, len(word) + 1):
        if not any(first < end < after for first, after in steps):
            found.append(_part(steps, start, end))
            start = end
    return "".join(found)


def _part(steps: dict[tuple[int, int], str], start: int, end: int) -> str:
    if end - start > LONG:
        return "".join(_letter(steps[at, at + 1]) for at in range(start, end))
    ways = list(_ways(steps, start, end))
    return ways[0] if len(ways) == 1 else f"(?:{'|'.join(ways)})"


def _ways(steps: dict[tuple[int, int], str], start: int, end: int) -> Iterator[str]:
    if start == end:
        yield ""
        return
    for (first, after), characters in steps.items():
        if first == start:
            yield from (_letter(characters) + rest for rest in _ways(steps, after, end))


def _letter(characters: str) -> str:
    one = "".join(rf"\{one}" if one.isascii() and not one.isalnum() else one for one in characters)
    return (one if len(characters) == 1 else f"[{one}]") + (f"{DOT}?" if "i" in characters else "")


def _steps(word: str) -> dict[tuple[int, int], str]:
    """By first letter and the one after the last: the characters that fold to these letters of the word.

    Half a character will do at both ends: `stras` is in `Straße`.
    """
    steps = defaultdict(str, {(at, at + 1): letter for at, letter in enumerate(word)})
    foldings = _foldings()
    for size in range(1, min(LONGEST, len(word)) + 1):
        for at in range(len(word) - size + 1):
            steps[at, at + size] += foldings.whole.get(word[at : at + size], "")
        steps[0, size] += foldings.ends.get(word[:size], "")
        steps[len(word) - size, len(word)] += foldings.starts.get(word[-size:], "")
    steps[0, len(word)] += foldings.middles.get(word, "")
    return {where: characters for where, characters in steps.items() if characters}


class _Foldings(NamedTuple):
    """The characters that fold to something else, by what that is, or by how it starts, ends, or what is between.

    Of `k` the other two; of `ss` `ß` and `ẞ`, which start with an `s` and end with one.
    """

    whole: dict[str, str]
    starts: dict[str, str]
    ends: dict[str, str]
    middles: dict[str, str]


@cache
def _foldings() -> _Foldings:
    whole, starts, ends, middles = _Foldings({}, {}, {}, {})
    for character in map(chr, range(CASED)):
        if character.casefold() != character:
            folded = fold(character)
            _note(whole, folded, character)
            for at in range(1, len(folded)):
                _note(starts, folded[:at], character)
                _note(ends, folded[at:], character)
            _note(middles, folded[1:-1], character)
    return _Foldings(whole, starts, ends, middles)


def _note(foldings: dict[str, str], folded: str, character: str) -> None:
    foldings[folded] = foldings.get(folded, "") + character

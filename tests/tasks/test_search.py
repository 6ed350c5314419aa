"""Words are found in any case and in any script, and nothing in them means anything but itself."""

from urllib.parse import urlencode

import pytest

from tests.client import User

FOUND = {
    "part of a word": ("grocer", "Buy groceries"),
    "several words in any order": ("bread buy", "Buy milk and bread"),
    "spaces of Unicode": ("\u3000bread\u00a0\tbuy\u2003", "Buy bread"),
    "upper case": ("MILK", "milk"),
    "lower case": ("milk", "MILK"),
    "accents": ("CAF\u00c9", "caf\u00e9"),
    "Cyrillic": ("\u041c\u041e\u041b\u041e\u041a\u041e", "\u043c\u043e\u043b\u043e\u043a\u043e"),
    "sharp s as ss": ("STRASSE", "Hauptstra\u00dfe"),
    "ss as sharp s": ("stra\u00dfe", "HAUPTSTRASSE"),
    "as many ways to write it as are tried": ("ssssss", "\xdf\xdf\xdf"),
    "middle of a letter": ("\u0308", "\u0390"),
    "capital sharp s": ("stra\u1e9ee", "Hauptstrasse"),
    "half a sharp s": ("stras", "Hauptstra\u00dfe"),
    "sharp s before s": ("schlossstrasse", "Schlo\u00dfstra\u00dfe"),
    "final sigma": (
        "\u03a3\u0399\u03a3\u03a5\u03a6\u039f\u03a3",
        "\u03c3\u03b9\u03c3\u03c5\u03c6\u03bf\u03c2",
    ),
    "sigma for final sigma": ("\u03c3\u03c5\u03c6\u03bf\u03c3", "\u03a3\u03b9\u03c3\u03c5\u03c6\u03bf\u03c2"),
    "dotted I": ("istanbul", "\u0130stanbul"),
    "dotted I as JavaScript lowers it": ("i\u0307stanbul", "\u0130STANBUL"),
    "dotted I as JavaScript lowered it": ("istanbul", "i\u0307stanbul"),
    "i as dotted I": ("\u0130STANBUL", "istanbul"),
    "Kelvin": ("k", "\u212a"),
    "ligature": ("office", "o\ufb03ce"),
    "half a ligature": ("fi", "o\ufb03ce"),
    "Deseret": ("\U00010428", "\U00010400"),
    "emoji": ("\U0001f95b", "oat milk \U0001f95b"),
    "percent": ("50%", "50% off"),
    "underscore": ("a_b", "a_b"),
    "backslash": ("a\\b", "a\\b"),
    "backslash at the end": ("a\\", "a\\"),
    "escape of a regular expression": ("\\d", "\\d"),
    "brackets": ("[a] (b) {c}", "(b){c}[a]"),
    "a regular expression": ("^.*$|a+?", "x^.*$|a+?"),
    "director of a regular expression": ("***=", "a***=b"),
    "quotes": ('O\'Neill "x"', '"X" o\'neill'),
    "more of a letter than there are ways to list": ("Xsssssss", "xSSSSSSS"),
    "more ways to write it than can be tried": ("ffi" * 33, "\ufb03" * 33),
    "across lines": ("a b", "a\nb"),
    "more words than PostgreSQL keeps expressions": (
        " ".join("abcdefghijklmnopqrstuvwxyz0123456789"),
        "abcdefghijklmnopqrstuvwxyz\n0123456789",
    ),
}
NOT_FOUND = {
    "one of two words": ("milk bread", "milk"),
    "no letter but its own": ("k", "X"),
    "one of more words than PostgreSQL keeps expressions": (
        " ".join("abcdefghijklmnopqrstuvwxyz0123456789"),
        "abcdefghijklmnopqrstuvwxy0123456789",
    ),
    "percent is no wildcard": ("5%f", "50% off"),
    "percent alone": ("%", "milk"),
    "underscore is no wildcard": ("a_b", "axb"),
    "dot is no wildcard": ("a.b", "axb"),
    "backslash escapes nothing": ("a\\%b", "a%b"),
    "dot of no i": ("ab", "a\u0307b"),
    "dotless i": ("\u0131", "i"),
    "another letter": ("e", "\u00e9"),
    "word across words": ("ab", "a b"),
}


@pytest.mark.parametrize(("q", "text"), FOUND.values(), ids=FOUND)
def test_search_finds(alice: User, q: str, text: str) -> None:
    task = alice.task(text)
    alice.task("\u2026")
    assert alice.get(f"/tasks?{urlencode({'q': q})}").json["tasks"] == [task]


@pytest.mark.parametrize(("q", "text"), NOT_FOUND.values(), ids=NOT_FOUND)
def test_search_does_not_find(alice: User, q: str, text: str) -> None:
    alice.task(text)
    assert alice.get(f"/tasks?{urlencode({'q': q})}").json["tasks"] == []

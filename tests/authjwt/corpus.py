"""Credentials, hostile and good, as a table: what they look like, and in which modes they may be accepted.

To be sent over whatever leads to the verifier. The service under test trusts `forge.SECRET` and the key set of
`forge.issuer_jwks()`; issuer and audience are `forge.ISSUER` where there is a JWKS, and not configured in secret mode.
"""

import base64
import hashlib
import hmac
import json
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.authjwt.forge import (
    ASYMMETRIC,
    ISSUER,
    OLD_SECRET,
    REMOVED,
    SECRET,
    assemble,
    base64url,
    claims,
    header,
    hs256,
    issuer_jwks,
    issuer_key,
    key_pair,
    to_json,
    token,
)

Mode = Literal["secret", "jwks", "both"]
MODES: Final[tuple[Mode, ...]] = ("secret", "jwks", "both")


@dataclass(frozen=True)
class Case:
    """One value of the `Authorization` header."""

    id: str
    build: Callable[[], str]
    """Makes the value anew, since tokens expire."""

    accepted: frozenset[Mode] = frozenset()
    """Modes in which it is good."""


def _modes(algorithm: str) -> frozenset[Mode]:
    """Modes in which a good token of this algorithm is accepted."""
    return frozenset({"secret", "both"} if algorithm == "HS256" else {"jwks", "both"})


def _case(id_: str, accepted: frozenset[Mode], make: Callable[..., str], *args: Any, **kwargs: Any) -> Case:
    return Case(id_, lambda: f"Bearer {make(*args, **kwargs)}", accepted)


def _good(id_: str, algorithm: str, make: Callable[..., str], *args: Any, **kwargs: Any) -> Case:
    return _case(id_, _modes(algorithm), make, *args, **kwargs)


def _bad(id_: str, make: Callable[..., str], *args: Any, **kwargs: Any) -> Case:
    return _case(id_, frozenset(), make, *args, **kwargs)


def _now() -> int:
    return int(time.time())


# Good tokens: without them, refusing everything would pass


def _good_tokens() -> Iterator[Case]:
    for algorithm in ("HS256", *ASYMMETRIC):
        yield _good(f"good-{algorithm}", algorithm, token, algorithm)
        for typ in ("JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT"):
            yield _good(f"good-{algorithm}-typ-{typ}", algorithm, token, algorithm, {"typ": typ})
    for algorithm in ("HS256", "EdDSA"):
        for id_, changes in _GOOD_CLAIMS.items():
            yield _good(f"good-{algorithm}-{id_}", algorithm, _claiming, algorithm, changes)
    yield _good("good-alg-Ed25519", "EdDSA", token, "EdDSA", {"alg": "Ed25519"})
    yield _good("good-aud-list", "EdDSA", token, "EdDSA", payload={"aud": ["x", ISSUER]})
    yield _good("good-x5t", "EdDSA", token, "EdDSA", {"x5t": "abc"})
    yield _good("good-HS256-with-kid", "HS256", token, "HS256", {"kid": "whatever"})
    yield _good("good-HS256-with-iss-aud", "HS256", token, "HS256", payload=_PARTIES)
    for scheme in ("bearer", "BEARER", "bEaReR", "Bearer "):
        yield Case(f"good-scheme-{scheme}", partial(_with_scheme, scheme), _modes("HS256"))


def _with_scheme(scheme: str) -> str:
    return f"{scheme} {token('HS256')}"


def _claiming(algorithm: str, changes: Callable[[], dict[str, Any]]) -> str:
    return token(algorithm, payload=changes())


_PARTIES: Final = {"iss": ISSUER, "aud": ISSUER}
_GOOD_CLAIMS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "sub-255": lambda: {"sub": "a" * 255},
    "sub-unicode": lambda: {"sub": "アリス-é-👩‍🚀"},
    "sub-inner-space": lambda: {"sub": "alice b"},
    "exp-fraction": lambda: {"exp": time.time() + 60.5},
    "no-iat": lambda: {"iat": REMOVED},
    "iat-within-leeway": lambda: {"iat": _now() + 10},
    "exp-within-leeway": lambda: {"exp": _now() - 5},
    "nbf-past": lambda: {"nbf": _now() - 100},
    "nbf-within-leeway": lambda: {"nbf": _now() + 10},
    "life-7-days": lambda: {"iat": _now(), "exp": _now() + 7 * 86400},
    "nested-claims": lambda: {"profile": {"deep": {"deeper": [1, 2, {"x": None}]}}},
    "user-without-session": lambda: {"user": {"id": "alice"}},
    "session-without-user": lambda: {"session": {"id": "s"}},
    "big-claims": lambda: {"image": "x" * 4000},
}


# Whatever is in the header: is it a token at all?


def _headers() -> Iterator[Case]:
    yield Case("header-empty", lambda: "")
    yield Case("header-bearer-only", lambda: "Bearer")
    yield Case("header-bearer-space", lambda: "Bearer ")
    yield Case("header-bearer-spaces", lambda: "Bearer    ")
    for scheme in ("Basic", "Token", "JWT", "Digest", "Bearer:", "Bearerx", "BearerBearer", "Negotiate"):
        yield Case(f"header-scheme-{scheme}", partial(_with_scheme, scheme))
    yield Case("header-no-scheme", lambda: token("HS256"))
    yield Case("header-tab", lambda: f"Bearer\t{token('HS256')}")
    yield Case("header-twice", lambda: f"Bearer {token('HS256')}, Bearer {token('HS256')}")
    yield Case("header-twice-joined", lambda: f"Bearer {token('HS256')},Bearer {token('EdDSA')}")
    yield Case("header-scheme-twice", lambda: f"Bearer Bearer {token('HS256')}")
    yield Case("header-trailing-word", lambda: f"Bearer {token('HS256')} x")
    yield Case("header-quoted", lambda: f'Bearer "{token("HS256")}"')
    yield Case("header-parameter", lambda: f"Bearer token={token('HS256')}")
    yield Case("header-no-break-space", lambda: f"Bearer\xa0{token('HS256')}")
    yield Case("header-latin-1", lambda: f"Bearer \xe9{token('HS256')}")


def _shapes() -> Iterator[Case]:
    texts = {
        "word": "undefined",
        "null": "null",
        "object": "[object Object]",
        "uuid": "01938f3a-1234-7000-8000-000000000001",
        "one-dot": ".",
        "two-dots": "..",
        "three-dots": "...",
        "four-dots": "....",
        "dots": "." * 8000,
        "a.b.c": "a.b.c",
        "empty-objects": "e30.e30.",
        "empty-objects-signed": "e30.e30.e30",
        "stars": "***.***.***",
        "percent": "%00.%00.%00",
        "long": "a" * 8192,
        "too-long": "a" * 8193,
        "way-too-long": "a" * 60_000,
        "path": "../../etc/passwd",
        "sql": "'OR'1'='1",
        "format": "{0.__class__}.%s.%n",
        "log4j": "${jndi:ldap://127.0.0.1/a}",
    }
    for id_, text in texts.items():
        yield _bad(f"shape-{id_}", str, text)
    yield _bad("opaque-session-token", _opaque_session_token)
    yield _bad("opaque-session-token-encoded", lambda: _opaque_session_token().replace("=", "%3D"))
    yield _bad("opaque-session-token-bare", lambda: _opaque_session_token().partition(".")[0])
    yield _bad("compact-session-cookie", _compact_session_cookie)
    yield _bad("jwe-direct", lambda: f"{base64url(to_json({'alg': 'dir', 'enc': 'A256GCM'}))}..AAAA.AAAA.AAAA")
    yield _bad("paseto", lambda: "v2.public.eyJzdWIiOiJhbGljZSJ9AAAA")
    for algorithm in ("HS256", "EdDSA"):
        for id_, damage in _DAMAGES.items():
            yield _bad(f"{algorithm}-{id_}", _damaged, algorithm, damage)


def _damaged(algorithm: str, damage: Callable[[str], str]) -> str:
    return damage(token(algorithm))


def _opaque_session_token() -> str:
    """What the bearer plugin sends in `set-auth-token`."""
    session = "toyAQF0y5vs1OXn8toyAQF0y5vs1OXn8"
    return f"{session}.{base64.b64encode(hmac.digest(SECRET.encode(), session.encode(), hashlib.sha256)).decode()}"


def _compact_session_cookie() -> str:
    """What Better Auth keeps in `session_data` by default."""
    session = {"session": {"userId": "alice"}, "user": {"id": "alice"}}
    return base64url(to_json({"session": session, "expiresAt": (_now() + 60) * 1000, "signature": "x" * 43}))


def _with_part(number: int, change: Callable[[str], str]) -> Callable[[str], str]:
    def damage(good: str) -> str:
        parts = good.split(".")
        parts[number] = change(parts[number])
        return ".".join(parts)

    return damage


def _other_last_character(part: str) -> str:
    """Set an unused bit of the last character: the same bytes to a lenient decoder."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + alphabet[alphabet.index(part[-1]) ^ 1]


_DAMAGES: Final[Mapping[str, Callable[[str], str]]] = {
    "no-signature": lambda good: good.rpartition(".")[0] + ".",
    "no-signature-no-dot": lambda good: good.rpartition(".")[0],
    "payload-only": lambda good: good.split(".")[1],
    "swapped-parts": lambda good: ".".join(reversed(good.split("."))),
    "extra-dot": lambda good: good + ".",
    "leading-dot": lambda good: "." + good,
    "extra-part": lambda good: good + ".e30",
    "twice": lambda good: f"{good}.{good}",
    "signature-cut": lambda good: good[:-4],
    "signature-longer": lambda good: good + "AAAA",
    "signature-zero": _with_part(2, lambda part: "A" * len(part)),
    "signature-unused-bits": _with_part(2, _other_last_character),
    "signature-padded": lambda good: good + "=" * (-len(good.rpartition(".")[2]) % 4 or 4),
    "header-padded": _with_part(0, lambda part: part + "="),
    "payload-padded": _with_part(1, lambda part: part + "=="),
    "newline-inside": _with_part(1, lambda part: f"{part[:20]}\n{part[20:]}"),
    "vertical-tab-inside": _with_part(2, lambda part: f"{part[:20]}\v{part[20:]}"),
    "nul-inside": _with_part(1, lambda part: f"{part[:20]}\0{part[20:]}"),
    "star-inside": _with_part(2, lambda part: f"{part[:20]}*{part[20:]}"),
    "standard-alphabet": _with_part(2, lambda part: part[:-2] + "+/"),
    "payload-of-another": _with_part(1, lambda _: base64url(to_json(claims(sub="mallory")))),
    "lower-case": str.lower,
    "upper-case": str.upper,
    "url-encoded-dots": lambda good: good.replace(".", "%2E"),
}


# What the signature is made with


def _algorithms() -> Iterator[Case]:
    for alg in ("none", "None", "NONE", "nOnE", "", " ", "null"):
        for algorithm in ("HS256", "EdDSA"):
            yield _bad(f"alg-none-{algorithm}-{alg!r}", _unsigned, algorithm, alg)
    yield _bad("alg-none-good-signature", lambda: assemble(header("HS256", alg="none"), claims("HS256"), hs256))
    for alg in ("hs256", "HS 256", "HS256 ", "EDDSA", "eddsa", "RS1", "HS1", "dir", "A256KW", "ES256K", "\0"):
        yield _bad(f"alg-unknown-{alg!r}", token, "HS256", {"alg": alg})
        yield _bad(f"alg-unknown-pair-{alg!r}", token, "EdDSA", {"alg": alg})
    for value in (None, True, 0, 256, [], ["HS256"], {}, {"alg": "HS256"}):
        yield _bad(f"alg-type-{json.dumps(value)}", token, "HS256", {"alg": value})
        yield _bad(f"alg-type-pair-{json.dumps(value)}", token, "EdDSA", {"alg": value})
    yield _bad("alg-missing", lambda: token("HS256", {"alg": REMOVED}))
    yield _bad("alg-missing-pair", lambda: token("EdDSA", {"alg": REMOVED}))
    for alg in ("HS384", "HS512"):
        yield _bad(f"secret-{alg}", _secret_as, alg)


def _unsigned(algorithm: str, alg: str) -> str:
    return assemble(header(algorithm, alg=alg), claims(algorithm), lambda _: b"")


def _secret_as(alg: str) -> str:
    return assemble(header("HS256", alg=alg), claims("HS256"), partial(hs256, algorithm=alg))


def _foreign_keys() -> Iterator[Case]:
    secrets = {
        "empty": "",
        "short": "secret",
        "other": OLD_SECRET,
        "default": "better-auth-secret-12345678901234567890",
    }
    secrets |= {"upper-case": SECRET.upper(), "cut": SECRET[:-1], "longer": SECRET + "\n", "nul": "\0" * 32}
    for id_, secret in secrets.items():
        yield _bad(f"secret-{id_}", _with_secret, secret)
    encoded = base64.b64decode(SECRET)
    yield _bad("secret-base64-decoded", _with_secret, encoded)
    for algorithm in ASYMMETRIC:
        yield _bad(f"{algorithm}-foreign-key-same-kid", _foreign, algorithm)
        yield _bad(f"{algorithm}-foreign-key-unknown-kid", _foreign, algorithm, kid="nobody")
        yield _bad(f"{algorithm}-foreign-key-no-kid", _foreign, algorithm, kid=REMOVED)
        yield _bad(f"{algorithm}-foreign-jwk", _foreign_with_jwk, algorithm)
        yield _bad(f"{algorithm}-foreign-jku", _foreign, algorithm, jku="http://127.0.0.1:1/jwks")
        for form in _PUBLIC_FORMS:
            yield _bad(f"{algorithm}-public-key-as-secret-{form}", _confused, algorithm, form)
    for used in ASYMMETRIC:
        for named in ASYMMETRIC:
            if used != named:
                yield _bad(f"{used}-by-name-of-{named}", _renamed, used, named)
                yield _bad(f"{used}-kid-of-{named}", token, used, {"kid": f"key-{named}"})
    yield _bad("HS256-by-name-of-EdDSA", lambda: assemble(header("EdDSA"), claims(), hs256))
    yield _bad("HS256-with-kid-of-EdDSA", lambda: _confused("EdDSA", "raw"))
    yield _bad("Ed448", lambda: _foreign_kind("EdDSA", "Ed448"))
    yield _bad("EdDSA-empty-kid", lambda: token("EdDSA", {"kid": ""}))
    yield _bad("all-zero-signature-ES256", lambda: assemble(header("ES256"), claims(), lambda _: bytes(64)))
    yield _bad("all-zero-signature-ES512", lambda: assemble(header("ES512"), claims(), lambda _: bytes(132)))
    yield _bad("der-signature-ES256", _der_signature)


def _with_secret(secret: str | bytes) -> str:
    return assemble(header("HS256"), claims("HS256"), _hmac(secret))


def _hmac(secret: str | bytes) -> Callable[[bytes], bytes]:
    key = secret.encode() if isinstance(secret, str) else secret
    return lambda signing_input: hmac.digest(key, signing_input, hashlib.sha256)


def _foreign(algorithm: str, **changes: Any) -> str:
    return assemble(header(algorithm, **changes), claims(algorithm), key_pair("foreign", algorithm).sign)


def _foreign_with_jwk(algorithm: str) -> str:
    return _foreign(algorithm, jwk=key_pair("foreign", algorithm).jwk())


def _foreign_kind(algorithm: str, kind: str) -> str:
    return assemble(header(algorithm), claims(algorithm), key_pair("foreign", algorithm, kind).sign)


def _renamed(used: str, named: str) -> str:
    return assemble(header(named), claims(named), issuer_key(used).sign)


def _der_signature() -> str:
    """Sign as X.509 does, not as JWS does: two integers in DER."""
    return assemble(header("ES256"), claims(), lambda i: issuer_key("ES256").private.sign(i, ec.ECDSA(SHA256())))


_PUBLIC_FORMS: Final = ("pem", "der", "jwk", "raw")


def _public_form(algorithm: str, form: str) -> bytes:
    public = issuer_key(algorithm).private.public_key()
    if form == "pem":
        return bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    if form == "der":
        return bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    if form == "jwk":
        return to_json(issuer_key(algorithm).jwk())
    return to_json(issuer_jwks())


def _confused(algorithm: str, form: str) -> str:
    """Sign with HS256, taking the published key for the secret (RFC 8725, section 2.1)."""
    head = header("HS256", kid=f"key-{algorithm}")
    return assemble(head, claims(algorithm), _hmac(_public_form(algorithm, form)))


# What the header says, with a good signature


def _header_parameters() -> Iterator[Case]:
    both = ("HS256", "EdDSA")
    for id_, changes in _BAD_HEADERS.items():
        for algorithm in both:
            yield _bad(f"{algorithm}-{id_}", token, algorithm, changes)
    for id_, raw in _RAW_HEADERS.items():
        yield _bad(f"raw-header-{id_}", token, "HS256", raw)
    jwk = {"kty": "oct", "k": base64url(SECRET.encode())}
    yield _bad("HS256-jwk-oct", lambda: token("HS256", {"jwk": jwk}))


_BAD_TYPES: Final[tuple[object, ...]] = (
    *(None, True, 1, "", " ", "JWT ", ["JWT"], {}, "JWS", "JOSE", "text/jwt", "application/", "JWT\0"),
    *("id+jwt", "logout+jwt", "application/logout+jwt", "secevent+jwt", "dpop+jwt", "oauth-authz-req+jwt"),
    *("better-auth.session-cache+jwt", "application/application/jwt", "refresh+jwt", "at_jwt", "at+JWTx"),
)
_BAD_KIDS: Final[Mapping[str, object]] = {
    "null": None,
    "number": 1,
    "true": True,
    "list": ["key-EdDSA"],
    "object": {},
    "empty": "",
    "blank": "  ",
    "long": "k" * 256,
    "nul": "key-EdDSA\0",
    "newline": "key\n",
    "surrogate": "\ud800",
}
_BAD_HEADERS: Final[Mapping[str, dict[str, Any]]] = {
    **{f"typ-{json.dumps(typ)}": {"typ": typ} for typ in _BAD_TYPES},
    **{f"kid-{id_}": {"kid": kid} for id_, kid in _BAD_KIDS.items()},
    **{f"crit-{json.dumps(crit)}": {"crit": crit} for crit in (None, [], ["exp"], ["b64"], "b64", ["x"])},
    "crit-and-b64": {"crit": ["b64"], "b64": False},
    "crit-and-unknown": {"crit": ["http://example.com/UNDEFINED"], "http://example.com/UNDEFINED": True},
    "b64-false": {"b64": False},
    "b64-true": {"b64": True},
    "zip": {"zip": "DEF"},
    "cty-JWT": {"cty": "JWT"},
    "cty-json": {"cty": "application/json"},
    "enc": {"enc": "A256GCM"},
    "jwk": {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}},
    "jku": {"jku": "http://127.0.0.1:1/jwks"},
    "x5u": {"x5u": "http://127.0.0.1:1/cert"},
    "x5c": {"x5c": ["AAAA"]},
}
_RAW_HEADERS: Final[Mapping[str, bytes]] = {
    "empty": b"",
    "space": b" ",
    "null": b"null",
    "list": b'[{"alg":"HS256"}]',
    "string": b'"HS256"',
    "number": b"1",
    "duplicate-alg": b'{"alg":"none","alg":"HS256"}',
    "duplicate-typ": b'{"alg":"HS256","typ":"x","typ":"JWT"}',
    "duplicate-escaped": b'{"alg":"HS256","\\u0061lg":"HS256"}',
    "trailing": b'{"alg":"HS256"}x',
    "two-objects": b'{"alg":"HS256"}{"alg":"HS256"}',
    "trailing-comma": b'{"alg":"HS256",}',
    "single-quotes": b"{'alg':'HS256'}",
    "comment": b'{"alg":"HS256"/**/}',
    "nan": b'{"alg":"HS256","x":NaN}',
    "infinity": b'{"alg":"HS256","x":-Infinity}',
    "bom": b'\xef\xbb\xbf{"alg":"HS256"}',
    "utf-16": '{"alg":"HS256"}'.encode("utf-16"),
    "utf-16-no-bom": '{"alg":"HS256"}'.encode("utf-16-le"),
    "utf-32": '{"alg":"HS256"}'.encode("utf-32"),
    "latin-1": '{"alg":"HS256","x":"é"}'.encode("latin-1"),
    "overlong-utf-8": b'{"alg":"HS256","x":"\xc0\x80"}',
    "surrogate-utf-8": b'{"alg":"HS256","x":"\xed\xa0\x80"}',
    "control-character": b'{"alg":"HS256","x":"\x01"}',
    "deep-lists": b'{"alg":"HS256","x":' + b"[" * 2000 + b"]" * 2000 + b"}",
    "deep-objects": b'{"alg":"HS256","x":' + b'{"a":' * 1000 + b"1" + b"}" * 1000 + b"}",
    "huge-integer": b'{"alg":"HS256","x":' + b"9" * 4400 + b"}",
    "unclosed": b'{"alg":"HS256"',
}


# What the claims say, with a good signature


def _claims() -> Iterator[Case]:
    for algorithm in ("HS256", "EdDSA"):
        for id_, changes in _BAD_CLAIMS.items():
            yield _bad(f"{algorithm}-{id_}", _claiming, algorithm, changes)
        for id_, change in _RAW_CLAIMS.items():
            yield _bad(f"{algorithm}-raw-{id_}", _raw_claims, algorithm, change)
    for id_, value in _BAD_PARTIES.items():
        for claim in ("iss", "aud"):
            yield _bad(f"EdDSA-{claim}-{id_}", token, "EdDSA", payload={claim: value})
            # of no interest to a service that expects none; to one that does, leaving it out is better than lying
            accepted: set[Mode] = {"secret", "both"} if value is REMOVED else {"secret"}
            parties = {**_PARTIES, claim: value}
            yield _case(f"HS256-{claim}-{id_}", frozenset(accepted), token, "HS256", payload=parties)
    yield _bad("EdDSA-iss-list", lambda: token("EdDSA", payload={"iss": [ISSUER]}))
    yield _bad("EdDSA-aud-list-mixed", lambda: token("EdDSA", payload={"aud": [ISSUER, 1]}))


_BAD_PARTIES: Final[Mapping[str, Any]] = {
    "missing": REMOVED,
    "null": None,
    "empty": "",
    "number": 1,
    "object": {"x": ISSUER},
    "empty-list": [],
    "list-of-others": ["https://mail.example.com"],
    "trailing-slash": f"{ISSUER}/",
    "upper-case": ISSUER.upper(),
    "http": ISSUER.replace("https", "http"),
    "longer": f"{ISSUER}.evil.example",
    "cut": ISSUER[:-1],
    "spaced": f" {ISSUER}",
    "client-id": "my-client",
    "nul": f"{ISSUER}\0",
}


def _raw_claims(algorithm: str, change: Callable[[bytes], bytes]) -> str:
    return token(algorithm, payload=change(to_json(claims(algorithm))))


def _far(years: int) -> int:
    return _now() + years * 366 * 86400


_BAD_CLAIMS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "exp-missing": lambda: {"exp": REMOVED},
    "exp-null": lambda: {"exp": None},
    "exp-true": lambda: {"exp": True},
    "exp-string": lambda: {"exp": str(_now() + 900)},
    "exp-word": lambda: {"exp": "never"},
    "exp-empty": lambda: {"exp": ""},
    "exp-list": lambda: {"exp": [_now() + 900]},
    "exp-object": lambda: {"exp": {"$gt": 0}},
    "exp-zero": lambda: {"exp": 0},
    "exp-negative": lambda: {"exp": -1},
    "exp-1": lambda: {"exp": 1},
    "exp-past": lambda: {"exp": _now() - 16},
    "exp-long-past": lambda: {"exp": _now() - 86400, "iat": _now() - 90000},
    "exp-past-fraction": lambda: {"exp": time.time() - 15.5},
    "exp-milliseconds": lambda: {"exp": (_now() + 900) * 1000},
    "exp-year-10000": lambda: {"exp": 253402300800},
    "exp-1e300": lambda: {"exp": 1e300},
    "exp-2**63": lambda: {"exp": 2**63},
    "exp-10**4000": lambda: {"exp": 10**4000},
    "exp-minus-10**4000": lambda: {"exp": -(10**4000)},
    "exp-in-8-days": lambda: {"exp": _now() + 8 * 86400},
    "exp-in-10-years": lambda: {"exp": _far(10)},
    "exp-in-8-days-no-iat": lambda: {"exp": _now() + 8 * 86400, "iat": REMOVED},
    "exp-in-10-years-no-iat": lambda: {"exp": _far(10), "iat": REMOVED},
    "lived-8-days": lambda: {"iat": _now() - 8 * 86400},
    "iat-zero": lambda: {"iat": 0},
    "nbf-future": lambda: {"nbf": _now() + 20},
    "nbf-far-future": lambda: {"nbf": _far(10)},
    "nbf-string": lambda: {"nbf": "0"},
    "nbf-null": lambda: {"nbf": None},
    "nbf-true": lambda: {"nbf": True},
    "nbf-list": lambda: {"nbf": []},
    "nbf-10**4000": lambda: {"nbf": 10**4000},
    "iat-future": lambda: {"iat": _now() + 60},
    "iat-far-future": lambda: {"iat": _far(1)},
    "iat-string": lambda: {"iat": str(_now())},
    "iat-null": lambda: {"iat": None},
    "iat-true": lambda: {"iat": True},
    "iat-object": lambda: {"iat": {}},
    "iat-negative": lambda: {"iat": -5},
    "iat-minus-10**4000": lambda: {"iat": -(10**4000)},
    "sub-missing": lambda: {"sub": REMOVED},
    "sub-null": lambda: {"sub": None},
    "sub-empty": lambda: {"sub": ""},
    "sub-space": lambda: {"sub": " "},
    "sub-spaces": lambda: {"sub": " \u00a0\u2003 "},
    "sub-zero-width": lambda: {"sub": "\u200b\u200d"},
    "sub-number": lambda: {"sub": 1},
    "sub-zero": lambda: {"sub": 0},
    "sub-true": lambda: {"sub": True},
    "sub-list": lambda: {"sub": ["alice"]},
    "sub-object": lambda: {"sub": {"id": "alice"}},
    "sub-256": lambda: {"sub": "a" * 256},
    "sub-nul": lambda: {"sub": "alice\0"},
    "sub-newline": lambda: {"sub": "alice\n"},
    "sub-tab": lambda: {"sub": "\talice"},
    "sub-del": lambda: {"sub": "alice\x7f"},
    "sub-c1": lambda: {"sub": "alice\x85"},
    "sub-surrogate": lambda: {"sub": "alice\ud800"},
    "sub-only-as-id": lambda: {"sub": REMOVED, "id": "alice", "userId": "alice"},
    "cnf": lambda: {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
    "cnf-null": lambda: {"cnf": None},
    "id-token": lambda: {"nonce": "n", "at_hash": "h", "auth_time": _now()},
    "id-token-nonce": lambda: {"nonce": "n"},
    "id-token-at_hash": lambda: {"at_hash": "h"},
    "id-token-c_hash": lambda: {"c_hash": "h"},
    "logout-token": lambda: {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
    "security-event": lambda: {"events": {"urn:example": {}}, "txn": "1"},
    "session-cookie": lambda: {**_SESSION_COOKIE, "sub": REMOVED, "email": REMOVED, "name": REMOVED},
    "email-verification": lambda: {"sub": REMOVED, "name": REMOVED},
    "email-change": lambda: {"sub": REMOVED, "name": REMOVED, "updateTo": "m@example.com", "requestType": "x"},
    "empty-claims": lambda: dict.fromkeys(("sub", "email", "name", "iat", "exp", "iss", "aud"), REMOVED),
}
_SESSION_COOKIE: Final[Mapping[str, Any]] = {
    "session": {"id": "s", "userId": "alice", "token": "t"},
    "user": {"id": "alice", "email": "alice@example.com"},
    "updatedAt": 1_790_000_000_000,
    "version": "1",
}


def _add(member: bytes) -> Callable[[bytes], bytes]:
    return lambda good: good[:-1] + b"," + member + b"}"


_RAW_CLAIMS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "empty": lambda _: b"",
    "null": lambda _: b"null",
    "list": lambda good: b"[" + good + b"]",
    "string": lambda good: json.dumps(good.decode()).encode(),
    "nested-token": lambda _: token("HS256").encode(),
    "nested-token-quoted": lambda _: json.dumps(token("EdDSA")).encode(),
    "duplicate-sub": _add(b'"sub":"mallory"'),
    "duplicate-sub-same": _add(b'"sub":"alice"'),
    "duplicate-sub-escaped": _add(b'"\\u0073ub":"mallory"'),
    "duplicate-exp": _add(b'"exp":9999999999'),
    "duplicate-nested": _add(b'"x":{"a":1,"a":2}'),
    "nan": _add(b'"x":NaN'),
    "infinity": _add(b'"x":Infinity'),
    "exp-overflow": lambda good: good.replace(b'"exp":', b'"exp":1e999,"e":'),
    "exp-nan": lambda good: good.replace(b'"exp":', b'"exp":NaN,"e":'),
    "exp-leading-zero": lambda good: good.replace(b'"exp":', b'"exp":0'),
    "exp-plus": lambda good: good.replace(b'"exp":', b'"exp":+'),
    "exp-hex": lambda good: good.replace(b'"exp":', b'"exp":0x7fffffff,"e":'),
    "huge-integer": _add(b'"x":' + b"1" * 4400),
    "deep": _add(b'"x":' + b"[" * 2000 + b"]" * 2000),
    "deep-unclosed": _add(b'"x":' + b"[" * 4000),
    "trailing": lambda good: good + b"x",
    "trailing-nul": lambda good: good + b"\0",
    "two-objects": lambda good: good + good,
    "bom": lambda good: b"\xef\xbb\xbf" + good,
    "utf-16": lambda good: good.decode().encode("utf-16"),
    "latin-1": _add('"x":"é"'.encode("latin-1")),
    "invalid-utf-8": _add(b'"x":"\xff"'),
    "surrogate-utf-8": lambda good: good.replace(b'"alice"', b'"alice\xed\xa0\x80"'),
    "comment": lambda good: good[:-1] + b"/**/}",
    "compressed": zlib.compress,
}


def _special() -> Iterator[Case]:
    yield _bad("session-cookie-with-sub", lambda: token("HS256", payload={**_SESSION_COOKIE}))
    yield _bad("email-change-with-sub", lambda: token("HS256", payload={"updateTo": "m@example.com"}))
    yield _bad("session-cookie-of-key", _session_cookie_of_key)
    yield _good("8-KiB-exactly", "HS256", _sized, 8192)
    yield _bad("8-KiB-and-one", lambda: _sized(8193))
    yield _bad("good-token-of-100-KB", lambda: token("HS256", payload={"x": "y" * 100_000}))


def _session_cookie_of_key() -> str:
    """What Better Auth keeps in `session_data` if told to sign it with its published keys."""
    audience = "better-auth:session-cache"
    return token("EdDSA", {"typ": "better-auth.session-cache+jwt"}, {**_SESSION_COOKIE, "aud": audience})


def _sized(length: int) -> str:
    """Make a good HS256 token of a certain length, by way of a claim and, for the last characters, the kid."""
    for kid in range(1, 5):
        for padding in range(5700, 6100):
            made = len(to_json(header("HS256", kid="k" * kid))), len(to_json(claims("HS256", x="y" * padding)))
            if sum((size * 4 + 2) // 3 for size in made) + 2 + 43 == length:
                return token("HS256", {"kid": "k" * kid}, {"x": "y" * padding})
    msg = f"no token of {length} characters"
    raise AssertionError(msg)


CASES: Final[list[Case]] = [
    *_good_tokens(),
    *_headers(),
    *_shapes(),
    *_algorithms(),
    *_foreign_keys(),
    *_header_parameters(),
    *_claims(),
    *_special(),
]

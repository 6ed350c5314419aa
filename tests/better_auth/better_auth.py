"""A real Better Auth, run from Python: `server.mjs` as a subprocess, and what a front end does with it over HTTP."""

import http.client
import json
import os
import select
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import IO, Literal, Self
from urllib.parse import quote, urlsplit

import httpx

from tests import npm
from tests.client import Answer
from tests.parts.address import free_address

HERE = Path(__file__).parent
SECRET = "the-secret-that-better-auth-and-the-service-share"
START_SECONDS, STOP_SECONDS, REQUEST_SECONDS = 30.0, 5.0, 10.0

Algorithm = Literal["EdDSA", "ES256", "ES512", "RS256", "PS256"]


def send(method: str, url: str, *, token: str | None = None, json_body: object = None) -> Answer:
    """Send one request on a connection of its own, with `token` as its Bearer token.

    Raises OSError or http.client.HTTPException where there is no answer.
    """
    parts = urlsplit(url)
    headers = {"Connection": "close"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if json_body is not None:
        headers["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection(parts.netloc, timeout=REQUEST_SECONDS)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, None if json_body is None else json.dumps(json_body), headers)
        response = connection.getresponse()
        return Answer(response.status, httpx.Headers(response.getheaders()), response.read())
    finally:
        connection.close()


@dataclass(frozen=True)
class Session:
    """A user who has signed up and is signed in."""

    better_auth: "BetterAuth" = field(repr=False)
    user_id: str
    email: str
    opaque_token: str
    """What the bearer plugin sends as `set-auth-token`: a session's name with an HMAC, no JWT."""
    session_data_cookie: str
    """The value of the cookie `better-auth.session_data`: a JWT for Better Auth itself, not for other services."""

    def jwt(self) -> str:
        """Ask for a new token, as a front end does before it calls another service."""
        answer = self.better_auth.call("GET", "/api/auth/token", token=self.opaque_token)
        return str(answer.json["token"])


class BetterAuth:
    """A Better Auth server on a port of its own; started by entering it as a context.

    Stopped and started again it has the same URL, users, sessions and keys, for they are in the database.
    """

    def __init__(
        self,
        database_url: str,
        *,
        algorithm: Algorithm = "EdDSA",
        audience: str | list[str] | None = None,
        session_cookie_keys: Literal["secret", "jwks"] = "secret",
    ) -> None:
        port = free_address().port
        self.url = f"http://127.0.0.1:{port}"
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PORT": str(port),
            "DATABASE_URL": database_url,
            "BETTER_AUTH_SECRET": SECRET,
            "JWT_ALG": algorithm,
            "SESSION_COOKIE_KEYS": session_cookie_keys,
        } | ({} if audience is None else {"AUDIENCE": json.dumps(audience)})
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it answers. Raises RuntimeError with what it said if it does not."""
        # Its standard input is a pipe from us: however we end, the pipe closes and the server ends too.
        command = [npm.node(), str(HERE / "server.mjs"), "--stop-with-stdin"]
        with tempfile.TemporaryFile() as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
            if not _first_line(self._process.stdout, START_SECONDS):
                self.stop()
                log.seek(0)
                message = f"Better Auth does not start:\n{log.read().decode(errors='replace')}"
                raise RuntimeError(message)

    def stop(self) -> None:
        """Stop the server, if it runs, and wait for its end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()
        with process:  # closes the pipes and waits
            pass

    def call(self, method: str, path: str, *, token: str | None = None, json_body: object = None) -> Answer:
        """Send a request that has to succeed. Raises RuntimeError with the answer if it does not."""
        answer = send(method, self.url + path, token=token, json_body=json_body)
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            message = f"{method} {path}: {answer.status} {answer.body.decode(errors='replace')}"
            raise RuntimeError(message)
        return answer

    def sign_up(self, email: str, password: str = "correct horse battery staple", name: str = "Somebody") -> Session:
        """Make a user; signing up signs in."""
        user = {"email": email, "password": password, "name": name}
        answer = self.call("POST", "/api/auth/sign-up/email", json_body=user)
        signed_up = answer.json["user"]
        return Session(
            better_auth=self,
            user_id=signed_up["id"],
            email=signed_up["email"],  # in lower case
            opaque_token=str(answer.headers["set-auth-token"]),
            session_data_cookie=_cookies(answer)["better-auth.session_data"],
        )

    def verification_token(self, email: str) -> str:
        """Return the token in the link of the last e-mail that asked `email` to verify the address."""
        return str(self.call("GET", f"/__test__/verification?email={quote(email)}").json["token"])

    def rotate(self) -> None:
        """Let the signing keys expire. The next token is signed with a new key, published in that instant."""
        self.call("POST", "/__test__/rotate")

    def jwks(self) -> list[dict[str, str]]:
        """Return the published keys, expired ones included."""
        keys: list[dict[str, str]] = self.call("GET", "/api/auth/jwks").json["keys"]
        return keys


def sign_with_jose(sub: str, *, email: str = "somebody@example.com", name: str = "Somebody") -> str:
    """Return an HS256 token over SECRET, signed in Node the way a Next.js route handler does it."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "BETTER_AUTH_SECRET": SECRET}
    command = [npm.node(), str(HERE / "jose_sign.mjs"), sub, email, name]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def _cookies(answer: Answer) -> dict[str, str]:
    cookies: SimpleCookie = SimpleCookie()
    for header in answer.headers.get_list("set-cookie"):
        cookies.load(header)
    return {name: morsel.value for name, morsel in cookies.items()}


def _first_line(stream: IO[bytes] | None, seconds: float) -> bytes:
    """Wait for a line; empty if the stream ended before, or the time."""
    deadline = time.monotonic() + seconds
    while stream is not None and (left := deadline - time.monotonic()) > 0:
        if select.select([stream], [], [], left)[0]:
            return stream.readline()
    return b""

"""The environment, read once and typed: the only reader of environment variables.

Each field of `Environment` is one variable of the same name in upper case; its description is the text of the README's
table and of `.env.example`. Real variables win over `.env` in the project root.
"""

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Literal

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from authjwt.better_auth import derive
from config import databases
from config.rate import Rate

BASE_DIR = Path(__file__).resolve().parent.parent
REDIS_URL = r"rediss?://[^/?\s]*(/\d*)?(\?\S*)?|unix://\S+"


def _comma_list(value: object) -> object:
    if isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    return value


def _http_origin(value: str) -> str:
    try:
        sent = derive(value).origin == value and "*" not in value
    except ValueError:
        sent = False
    if not sent:
        shape = "scheme://host[:port], in lower case, without a default port, a path or a trailing slash"
        raise ValueError(f"each origin is what browsers send: {shape}")
    return value


def _rate(value: str) -> str:
    if value:
        Rate.parse(value)
    return value


def _redis_url(value: str) -> str:
    from redis import Redis, RedisError  # noqa: PLC0415 (a twentieth of a start that does without)

    try:
        # Its options are looked at when a connection is made, which does not connect.
        usable = bool(re.fullmatch(REDIS_URL, value) and Redis.from_url(value).connection_pool.make_connection())
    except (ValueError, TypeError, RedisError):
        usable = False
    if not usable:
        raise ValueError("must be a Redis URL: redis://host:6379/0")
    return value


def _host(value: str) -> str:
    if not re.fullmatch(r"\*|\.?[\w.-]+|\[[0-9A-Fa-f:.]+\]", value):
        raise ValueError("each host is a bare name like api.example.com, without scheme, port or path")
    return value


def _apart_from_port(value: int, info: ValidationInfo) -> int:
    if value == info.data.get("port"):
        raise ValueError("must be another port than PORT, which clients reach")
    return value


CommaList = Annotated[tuple[str, ...], BeforeValidator(_comma_list)]
PostgreSQLURL = Annotated[str, AfterValidator(databases.check_url)]
Origin = Annotated[str, AfterValidator(_http_origin)]
Host = Annotated[str, AfterValidator(_host)]


class Environment(BaseModel):
    """Every variable the service reads. Field order is the order of the README's table."""

    model_config = ConfigDict(frozen=True)

    database_url: PostgreSQLURL | None = Field(
        default=None,
        description="PostgreSQL as Neon prints it, pooled (`-pooler` host) or direct; embedded PostgreSQL when unset",
    )
    database_url_unpooled: PostgreSQLURL | None = Field(
        default=None,
        description="direct URL of the owner role: migrations and operators' work (admin, commands) use it",
    )
    postgres_url: PostgreSQLURL | None = Field(
        default=None, description="older integrations' name of `DATABASE_URL`, taken when that is unset"
    )
    postgres_url_non_pooling: PostgreSQLURL | None = Field(
        default=None, description="older integrations' name of `DATABASE_URL_UNPOOLED`, taken when that is unset"
    )
    better_auth_secret: str | None = Field(
        default=None, description="HS256 secret shared with the issuer of the tokens, at least 32 bytes"
    )
    better_auth_secrets: str | None = Field(
        default=None, description="several such secrets during a rotation, as Better Auth has them: `2:new,1:old`"
    )
    better_auth_url: str | None = Field(
        default=None, description="Better Auth's base URL: gives issuer, audience and the JWKS URL"
    )
    better_auth_jwks_url: str | None = Field(default=None, description="overrides the JWKS URL")
    better_auth_issuer: CommaList = Field(default=(), description="overrides the accepted issuers (comma list)")
    better_auth_audience: CommaList = Field(default=(), description="overrides the accepted audiences (comma list)")
    better_auth_jwt_mode: Literal["secret", "jwks", "both"] | None = Field(
        default=None, description="`secret`, `jwks` or `both`; needed only when both sources are set"
    )
    cors_origins: Annotated[tuple[Origin, ...], BeforeValidator(_comma_list)] = Field(
        default=("http://localhost:3000",), description="origins of the front ends (comma list)"
    )
    secret_key: str = Field(min_length=1, description="Django's signing key (sessions of the admin), long and random")
    operator_username: str | None = Field(
        default=None, description="name of the admin's first account, which `manage.py create_operator` makes"
    )
    operator_password: SecretStr | None = Field(default=None, description="its password, at least 12 characters")
    operator_email: str | None = Field(default=None, description="its e-mail address, if it should have one")
    debug: bool = Field(default=False, description="Django's debug mode, never in production")
    allowed_hosts: Annotated[tuple[Host, ...], BeforeValidator(_comma_list)] = Field(
        default=("localhost", "127.0.0.1"), description="host names the service answers to (comma list)"
    )
    rate_limit: Annotated[str, AfterValidator(_rate)] = Field(
        default="600/minute",
        description="requests per user, and per address for refused tokens; empty: off",
    )
    redis_url: Annotated[str, AfterValidator(_redis_url)] | None = Field(
        default=None, description="shared counters of the rate limit for several processes or machines"
    )
    trusted_proxy_hops: int = Field(
        default=0,
        ge=0,
        description="proxies in front that add to `X-Forwarded-For`: the client's address is that many from its right",
    )
    max_body_bytes: int = Field(
        default=65536, ge=1024, description="larger request bodies are refused with 413 before they are read"
    )
    client_timeout: float = Field(
        default=10,
        gt=0,
        description="seconds a client has to send a request; one that takes nothing of its answer has three times that",
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)] = Field(
        default="INFO", description="least level that is logged"
    )
    log_format: Literal["json", "console"] = Field(
        default_factory=lambda: "console" if sys.stderr.isatty() else "json",
        description="`json`, or `console` (the default on a terminal)",
    )
    port: int = Field(default=8000, ge=0, le=65535, description="port of the production server; 0 takes a free one")
    web_concurrency: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, description="worker processes; default: one per core"
    )
    metrics_port: Annotated[int, AfterValidator(_apart_from_port)] | None = Field(
        default=None, ge=1, le=65535, description="port of `/metrics`, on all interfaces; off when unset"
    )

    @model_validator(mode="before")
    @classmethod
    def _given(cls, values: dict[str, object]) -> dict[str, object]:
        """Compose files and CI pass empty strings for what is not set; only an empty RATE_LIMIT says something."""
        given = {name: value for name, value in values.items() if name == "rate_limit" or value != ""}
        older = {"database_url": "postgres_url", "database_url_unpooled": "postgres_url_non_pooling"}
        if not older.keys() & given.keys():  # a pair: one database is not to be mixed with another
            return {new: given[old] for new, old in older.items() if old in given} | given
        return {name: value for name, value in given.items() if name not in older.values()}


def read() -> Environment:
    """Read the environment. Raises SystemExit with one line for each bad variable; values are never shown."""
    values = dotenv_values(BASE_DIR / ".env") | os.environ
    names = [name for name in Environment.model_fields if values.get(name.upper()) is not None]
    try:
        return Environment.model_validate({name: values[name.upper()] for name in names})
    except ValidationError as exc:
        lines = [
            f"  {str(error['loc'][0]).upper()}: {_hint(error['type'], error['msg'])}"
            for error in exc.errors(include_input=False, include_url=False)
        ]
        raise SystemExit("\n".join(["The environment is not usable:", *lines])) from None


def _hint(kind: str, message: str) -> str:
    if kind == "missing":
        return "is required and not set. Set it in the environment or in .env (`make .env` writes one)"
    return message.removeprefix("Value error, ")

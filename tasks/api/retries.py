"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) on POST: what it is in a request, and in an answer."""

import hashlib
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from ninja.errors import ValidationError
from pydantic import BaseModel

from tasks import idempotency
from tasks.api.answers import json_answer
from tasks.idempotency import Answer, Key
from tasks.models import IDEMPOTENCY_KEY_MAX_LENGTH

Operation = Callable[..., HttpResponse]

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"

# A structured field's String (RFC 9651), or the same characters bare; no space in either.
_KEY = re.compile(r'"((?:[!#-\[\]-~]|\\["\\])+)"|(?!")([!-~]+)')
_ESCAPED = re.compile(r"\\(.)")


def key_of(request: HttpRequest, *inputs: Any) -> Key | None:  # noqa: ANN401 (what ninja read of path and body)
    """The request's key; None if it has none. Raises ValidationError for what is no key.

    The same request has the same method, path and body, with the same fields given: white space does not matter.
    """
    field = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if field is None:
        return None
    said = [one.model_dump_json(exclude_unset=True) for one in inputs if isinstance(one, BaseModel)]
    digest = hashlib.sha256("\n".join([f"{request.method} {request.path}", *said]).encode()).digest()
    return Key(request.auth.user_id, _read(field), digest)  # type: ignore[attr-defined]  # by ninja


def _read(field: str) -> str:
    match = _KEY.fullmatch(field.strip(" \t"))
    key = match and (match[2] or _ESCAPED.sub(r"\1", match[1]))
    if not key or len(key) > IDEMPOTENCY_KEY_MAX_LENGTH:
        reason = f"must be one key of 1 to {IDEMPOTENCY_KEY_MAX_LENGTH} visible ASCII characters"
        raise ValidationError([{"loc": ("header", HEADER), "msg": reason, "type": "header"}])
    return key


def response(answer: Answer) -> HttpResponse:
    """What is sent for an answer."""
    replayed = {REPLAYED: "true"} if answer.replayed else {}
    return json_answer(answer.body, answer.status, **answer.headers, **replayed)


def repeatable(operation: Operation, without_key: Operation | None = None) -> Operation:
    """Have a POST take keys: it is done once for each, in one transaction, and answers in JSON.

    To fail, the operation raises.
    """

    @wraps(operation)
    def done_once(request: HttpRequest, **values: Any) -> HttpResponse:  # noqa: ANN401 (the operation's own)
        key = key_of(request, *values.values())
        if key is None:
            return (without_key or operation)(request, **values)
        return response(idempotency.once(key, lambda: _answer(operation(request, **values))))

    return done_once


def repeatable_transaction(operation: Operation) -> Operation:
    """The same of a POST that needs a transaction, with a key and without: in the same one, not in one of its own."""
    return repeatable(operation, without_key=transaction.atomic(operation))


def _answer(made: HttpResponse) -> Answer:
    own = {"ETag": made["ETag"]} if "ETag" in made else {}
    return Answer(made.status_code, own, made.content.decode())

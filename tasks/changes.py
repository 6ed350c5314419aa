"""What changed: each task of a user's that was written or deleted since a token, in the order of commits, once."""

import datetime as dt
import json
from functools import cache
from time import time

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from tasks import statements, tokens
from tasks.models import AS_DELETION, AS_UPSERT, Task, Tombstone
from tasks.statements import Parameter, Statement

DAYS = 30  # that a token is good for, and tombstones are kept
LATEST = dt.timedelta(hours=1)  # that a deletion commits after its time, and that two clocks differ by


class ExpiredToken(Exception):
    """What was deleted since then is not known any more."""


def read(user_id: str, since: str | None, limit: int) -> str:
    """The first changes since the token, or of all times, in the shape of `schemas.TaskChangesSince`.

    One statement, so one snapshot; and what commits later has a later revision (tasks/turns.py). Raises ForgedToken,
    ExpiredToken.
    """
    now = int(time())
    # The last revision that the token's holder has, and the time of which all deletions are known to them.
    after, complete_at = tokens.read(since, "since", user_id) if since is not None else (0, now)
    if complete_at < now - DAYS * 24 * 3600:
        raise ExpiredToken
    rows = _since(limit + 1).rows(user_id=user_id, revision=after)
    has_more = len(rows) > limit
    last = rows[:limit][-1][0] if rows else after
    # A walk that is not at its end knows all deletions up to the time it began at only.
    token = tokens.write([last, complete_at if has_more else now], "since", user_id)
    changes = ",".join(change for _, change in rows[:limit])
    return f'{{"changes":[{changes}],"next_since":"{token}","has_more":{json.dumps(has_more)}}}'


def newest_revision(user_id: str) -> int:
    """Of the user's changes that are still known: two lookups in indexes. 0 if there are none."""
    ((revision,),) = newest().rows(user_id=user_id)
    return int(revision)


def purge(days: int) -> int:
    """Delete the tombstones of all users that are older than that, and return how many those were."""
    before = Now() - dt.timedelta(days=days) - LATEST
    return Tombstone.objects.using("operator").filter(deleted_at__lt=before).remove_by_age("deleted_at")


@cache
def _since(limit: int) -> Statement:
    living = Task.objects.filter(id=OuterRef("task_id"), user_id=OuterRef("user_id"))
    upserts = Task.objects.owned_by(_USER).filter(revision__gt=_REVISION).order_by("revision")
    deletions = Tombstone.objects.owned_by(_USER).filter(~Exists(living), revision__gt=_REVISION).order_by("revision")
    changed = upserts.values_list("revision", AS_UPSERT)[:limit]
    deleted = deletions.values_list("revision", AS_DELETION)[:limit]
    return statements.select(changed.union(deleted, all=True).order_by("revision")[:limit])


@cache
def newest() -> Statement:
    """A row: the newest revision of the user's tasks and tombstones, 0 without any."""
    tasks, tombstones = (
        statements.select(model.objects.owned_by(_USER).order_by("-revision").values("revision")[:1])
        for model in (Task, Tombstone)
    )
    sql = f"SELECT greatest(({tasks.sql}), ({tombstones.sql}), 0)"
    return Statement(sql, tasks.parameters + tombstones.parameters, tasks.using).prepared()


_USER = Parameter("user_id", Task._meta.get_field("user_id"))
_REVISION = Parameter("revision", Task._meta.get_field("revision"))

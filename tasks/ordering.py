"""Puts a task before or after another one, and writes as few rows as that takes.

The order is that of `sort=order`: by number, and newest first where that is the same. So two neighbours may share a
number if the newer one comes first; else there is a step between them. Where no number is left for the moved task, a
run makes room, of the tasks that stand without a gap on one side of its place: on the side where they are fewer.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal
from uuid import UUID

from django.db.models import BooleanField, Func, IntegerField

from tasks import statements, turns
from tasks.models import AS_JSON, AS_TAG, ORDER_MAX, ORDER_MIN, Task
from tasks.preconditions import ALWAYS, Preconditions
from tasks.queries import Tagged, checked, chosen, own, parameter, refused
from tasks.statements import Parameter, Statement

GAP = 1024  # left beside a moved task if there is room, so that the next ten moves to the same place find some
REACH = 1000  # tasks of a run that are looked at before all of them are

Side = Literal["after", "before", "first", "last"]


class NoSuchNeighbour(Exception):
    """There is no such other task of the user's."""

    def __init__(self, side: Side) -> None:
        super().__init__(side)
        self.side = side


class NoRoom(Exception):
    """Each number that there is, from the least to the greatest, is taken."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task is to stand: directly `after` or `before` the neighbour, or `first` or `last` of all."""

    side: Side
    neighbour: UUID | None = None


def move(user_id: str, task_id: UUID, place: Place, when: Preconditions = ALWAYS) -> Tagged:
    """Move the user's task; if it stands there already, nothing is written.

    One message, which takes the user's turn first, so that nothing changes between what is read and what is written;
    two if both runs are long. Raises PreconditionFailed, NoSuchNeighbour, NoRoom.
    """
    if when.unless_any:
        return checked(user_id, task_id, when)
    for reach in (f"{REACH}", "ALL"):
        statement = _move(place.side, when.parts, reach, (ORDER_MIN, ORDER_MAX))
        rows = statement.rows(user_id=user_id, id=task_id, neighbour=place.neighbour, **when.values)
        if not rows:
            refused(user_id, task_id, when)
        ((task, tag, has_neighbour, has_place),) = rows
        if not has_neighbour:
            raise NoSuchNeighbour(place.side)
        if has_place:
            return Tagged(task, tag)
    raise NoRoom


# SQL of our own: Django has no WITH. Below the first and above the last task stands one that never moves
# and ends every run. `low` and `high` are the numbers that fit between the new neighbours.

_PLACES = """
below AS (SELECT {least} - 1::bigint AS "order", '-infinity'::timestamptz AS created_at, NULL::uuid AS id),
above AS (SELECT {most} + 1::bigint AS "order", 'infinity'::timestamptz AS created_at, NULL::uuid AS id),
neighbour AS ({neighbour}),
beyond AS ({beyond}),
previous AS (SELECT * FROM {previous}),
following AS (SELECT * FROM {following}),
room AS (
    SELECT moved."order"::bigint, previous."order" <= {least} - 1::bigint AS is_first,
        previous."order"::bigint + ((moved.created_at, moved.id) > (previous.created_at, previous.id))::int AS low,
        following."order"::bigint - ((following.created_at, following.id) > (moved.created_at, moved.id))::int AS high
    FROM moved, previous, following
),"""

# What a run can do: `size` tasks go `free` numbers its `way` at most. The moved one `stays` if it has one of these.
_RUNS = """
later AS ({later}),
earlier AS ({earlier}),
runs AS (
    (SELECT 1 AS way, size, free, room."order" BETWEEN low AND high + free AS stays, room."order" - high AS needed
    FROM later, room WHERE free > 0 ORDER BY size LIMIT 1)
    UNION ALL
    (SELECT -1, size, free, room."order" BETWEEN low - free AND high, low - room."order"
    FROM earlier, room WHERE free > 0 ORDER BY size LIMIT 1)
),
run AS (
    SELECT way, size, greatest(least((free + 1) / 2, 2 * {gap}), CASE WHEN stays THEN needed END) AS step
    FROM runs ORDER BY size - stays::int, way DESC LIMIT 1
),
interval AS (
    SELECT low, high FROM room WHERE low <= high
    UNION ALL SELECT low + least(way, 0) * step, high + greatest(way, 0) * step FROM room, run
),
target AS (
    SELECT CASE WHEN "order" BETWEEN interval.low AND interval.high THEN "order"
        WHEN is_first THEN greatest(interval.low + (interval.high - interval.low) / 2, interval.high - {gap})
        ELSE least(interval.low + (interval.high - interval.low) / 2, interval.low + {gap}) END AS number
    FROM room, interval
),
changed AS (
    SELECT id FROM later WHERE size <= (SELECT size FROM run WHERE way = 1)
    UNION ALL SELECT id FROM earlier WHERE size <= (SELECT size FROM run WHERE way = -1)
    UNION ALL SELECT id FROM moved, target WHERE moved."order" <> target.number
),"""

_RESULT = """
SELECT coalesce(written.task, moved.task), coalesce(written.tag, moved.tag),
    EXISTS (SELECT FROM neighbour), EXISTS (SELECT FROM target)
FROM moved LEFT JOIN written ON written.id = moved.id"""

_CHANGED = Func(
    template=f"{Task._meta.db_table}.id = ANY (ARRAY(SELECT id FROM changed))",
    output_field=BooleanField(),
)
_NUMBER = Func(
    template=f"CASE WHEN {Task._meta.db_table}.id = (SELECT id FROM moved) THEN (SELECT number FROM target)"
    f' ELSE {Task._meta.db_table}."order" + (SELECT way * step FROM run) END',
    output_field=IntegerField(),
)


@cache
def _move(side: Side, preconditions: tuple[str, ...], reach: str, bounds: tuple[int, int]) -> Statement:
    others = statements.select(own().exclude(id=parameter("id")).values_list("order", "created_at", "id"))
    moved = statements.select(chosen(preconditions).values_list("order", "created_at", "id", AS_JSON, AS_TAG))
    written = own().filter(_CHANGED).changing({"order": _NUMBER}, ["id", AS_JSON, AS_TAG])
    sql = (
        f"{turns.OF_USER.sql};WITH others AS NOT MATERIALIZED ({others.sql}),"
        f' moved ("order", created_at, id, task, tag) AS MATERIALIZED ({moved.sql}),'
        f"{_places(side, *bounds)}{_runs(reach)} written (id, task, tag) AS ({written.sql}){_RESULT}"
    )
    neighbour = (Parameter("neighbour", Task._meta.pk),) if side in {"after", "before"} else ()
    parameters = (*turns.OF_USER.parameters, *others.parameters, *moved.parameters, *neighbour, *written.parameters)
    return Statement(sql, parameters, written.using)


def _places(side: Side, least: int, most: int) -> str:
    forwards = side in {"after", "first"}
    named = {"first": "SELECT * FROM below", "last": "SELECT * FROM above"}
    previous, following = ("neighbour", "beyond") if forwards else ("beyond", "neighbour")
    return _PLACES.format(
        least=least,
        most=most,
        neighbour=named.get(side, 'SELECT "order", created_at, id FROM others WHERE id = %s'),
        beyond=_from("neighbour", forwards=forwards, limit="1"),
        previous=previous,
        following=following,
    )


def _runs(reach: str) -> str:
    later, earlier = (_run(place, forwards=place == "following", limit=reach) for place in ("following", "previous"))
    return _RUNS.format(later=later, earlier=earlier, gap=GAP)


def _run(place: str, *, forwards: bool, limit: str) -> str:
    """The tasks from a place on, numbered: how many they are with this one, and how many numbers are free after it."""
    rows = _from(place, forwards=forwards, limit=limit, inclusive=True, when="(SELECT low > high FROM room) AND ")
    this, beyond = ("{}", "lead({}) OVER run")
    upper, lower = (beyond, this) if forwards else (this, beyond)
    order, created_at, identity = ((upper.format(name), lower.format(name)) for name in ('"order"', "created_at", "id"))
    step = f"(({created_at[0]}, {identity[0]}) > ({created_at[1]}, {identity[1]}))::int"
    return (
        f"SELECT id, row_number() OVER run AS size, {order[0]} - {order[1]} - {step} AS free"
        f" FROM ({rows}) AS rows WINDOW run AS (ORDER BY {_WAYS[forwards].order})"
    )


@dataclass(frozen=True, slots=True)
class _Way:
    order: str
    further: str
    further_among_equals: str
    end: str


_WAYS = {
    True: _Way('"order", created_at DESC, id DESC', ">", "<", "above"),
    False: _Way('"order" DESC, created_at, id', "<", ">", "below"),
}


def _from(place: str, *, forwards: bool, limit: str, inclusive: bool = False, when: str = "") -> str:
    """The tasks from a place on, in order. Two scans of an index, because none can serve both comparisons."""
    way = _WAYS[forwards]
    number, moment, identity = (f"(SELECT {name} FROM {place})" for name in ('"order"', "created_at", "id"))
    equals = f"{way.further_among_equals}{'=' if inclusive else ''}"
    parts = (
        f'"order" = {number} AND (created_at, id) {equals} ({moment}, {identity})',
        f'"order" {way.further} {number}',
    )
    scans = (
        f'(SELECT "order", created_at, id FROM others WHERE {when}{part} ORDER BY {way.order} LIMIT {limit})'
        for part in parts
    )
    rows = " UNION ALL ".join((*scans, f"SELECT * FROM {way.end}"))
    return f"SELECT * FROM ({rows}) AS rows ORDER BY {way.order} LIMIT {limit}"

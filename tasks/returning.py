"""INSERT and UPDATE that return the rows they wrote: one statement, one round trip, compiled by Django's own compiler.

Django has RETURNING for what a single INSERT generates, and not yet for UPDATE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connections
from django.db.models.constants import OnConflict
from django.db.models.sql import UpdateQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import Model, QuerySet


def insert_once(queryset: QuerySet[Any], instance: Model, columns: Sequence[str]) -> dict[str, Any]:
    """Insert `instance`, unless its primary key is there, and return `columns` as the database has them then.

    Nobody sees an update that sets the key to itself, but only an updated row is returned.
    """
    options = instance._meta
    (row,) = queryset._insert(  # type: ignore[attr-defined]  # there, and not in the stubs
        [instance],
        fields=options.concrete_fields,
        returning_fields=[options.get_field(name) for name in columns],
        using=queryset.db,
        on_conflict=OnConflict.UPDATE,
        update_fields=[options.pk],
        unique_fields=[options.pk],
    )
    return dict(zip(columns, row, strict=True))


def update(queryset: QuerySet[Any], values: dict[str, Any], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Set `values` (expressions included) on the rows of `queryset` and return `columns` of each as they are then."""
    query: UpdateQuery = queryset.query.chain(UpdateQuery)  # type: ignore[assignment]  # chain() makes what it is told
    query.add_update_values(values)
    sql, params = query.get_compiler(using=queryset.db).as_sql()
    with connections[queryset.db].cursor() as cursor:
        quoted = ", ".join(cursor.db.ops.quote_name(queryset.model._meta.get_field(name).column) for name in columns)
        cursor.execute(f"{sql} RETURNING {quoted}", params)
        return [dict(zip(columns, row, strict=True)) for row in cursor]

"""SQL that Django's compiler writes from querysets, and what Django lacks: writes that return the rows they wrote.

Compiling takes longer than the database does. With a `Parameter` in the place of each value, a statement is compiled
once for its shape, and run with other values each time: the queryset stays the one definition of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from django.db import connections
from django.db.backends.utils import CursorWrapper
from django.db.models import Expression, F, Model, QuerySet
from django.db.models.expressions import DatabaseDefault
from django.db.models.sql import DeleteQuery, InsertQuery, UpdateQuery

Returned = str | Expression


class Parameter(Expression):
    """A value that is known when the statement runs."""

    def __init__(self, name: str, field: Any) -> None:  # noqa: ANN401 (the field of the value's column)
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, _compiler: object, _connection: object) -> tuple[str, tuple[Any, ...]]:
        """Stand for the value among the statement's parameters."""
        return "%s", (self,)


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL, its parameters, and the alias of the database it was compiled for."""

    sql: str
    parameters: tuple[Any, ...]
    using: str
    prepare: bool = False

    def prepared(self) -> Self:
        """The same, kept by the server, with one plan for all values: it must not depend on them."""
        return replace(self, prepare=True)

    def rows(self, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 (by name of their `Parameter`)
        """Run it and return the rows."""
        return self._run(values)[0]

    def count(self, **values: Any) -> int:  # noqa: ANN401 (by name of their `Parameter`)
        """Run it and return how many rows it touched."""
        return self._run(values)[1]

    def _run(self, values: Mapping[str, Any]) -> tuple[list[tuple[Any, ...]], int]:
        database: Any = connections[self.using]  # of config.postgresql
        ran: tuple[list[tuple[Any, ...]], int] = database.fetch(self.sql, self.bound(values), prepare=self.prepare)
        return ran

    def bound(self, values: Mapping[str, Any]) -> list[Any]:
        """Give its parameters, with the values in their places."""
        return [values[one.name] if type(one) is Parameter else one for one in self.parameters]


def together(steps: list[tuple[Statement, Mapping[str, Any]]]) -> list[list[tuple[Any, ...]]]:
    """Run statements of one database with their values, in one message, whatever the first ones find.

    Returns the rows of each; of one that returns none, an empty row for each that it touched.
    """
    with connections[steps[0][0].using].cursor() as cursor:
        cursor.execute(
            ";".join(statement.sql for statement, _ in steps),
            [one for statement, values in steps for one in statement.bound(values)],
        )
        return [_result(cursor, number) for number in range(-len(steps), 0)]


def _result(cursor: CursorWrapper, number: int) -> list[tuple[Any, ...]]:
    cursor.set_result(number)
    return cursor.fetchall() if cursor.description else [()] * cursor.rowcount


def select(queryset: QuerySet[Any, Any]) -> Statement:
    """SELECT what the queryset selects."""
    return _statement(queryset, queryset.query)


def delete(queryset: QuerySet[Any]) -> Statement:
    """DELETE the queryset's rows, of a model that no other refers to."""
    return _statement(queryset, queryset.query.chain(DeleteQuery))


def update(queryset: QuerySet[Any], values: dict[str, Any], returned: Iterable[Returned]) -> Statement:
    """UPDATE the queryset's rows with `values` (expressions included) and return fields of each as it is then."""
    query: UpdateQuery = queryset.query.chain(UpdateQuery)  # type: ignore[assignment]  # chain() makes what it is told
    query.add_update_values(values)
    return _returning(queryset, _statement(queryset, query), returned)


def insert(queryset: QuerySet[Any], instance: Model, returned: Iterable[Returned]) -> Statement:
    """INSERT `instance` and return fields of its row. What the database decides by default is not named."""
    query = InsertQuery(queryset.model)
    fields = instance._meta.concrete_fields
    given = [one for one in fields if not isinstance(getattr(instance, one.attname), DatabaseDefault)]
    query.insert_values(given, [instance])
    ((sql, parameters),) = query.get_compiler(using=queryset.db).as_sql()
    return _returning(queryset, Statement(sql, tuple(parameters), queryset.db), returned)


def only_where(condition: str, insert: Statement) -> Statement:
    """`insert`, as long as `condition`, which has no parameters, holds. VALUES knows no WHERE, SELECT does."""
    columns, _, rest = insert.sql.partition(" VALUES (")
    values, _, returning = rest.partition(") RETURNING ")
    return replace(insert, sql=f"{columns} SELECT {values} WHERE {condition} RETURNING {returning}")


def _statement(queryset: QuerySet[Any, Any], query: Any) -> Statement:  # noqa: ANN401 (one of Django's queries)
    sql, parameters = query.get_compiler(using=queryset.db).as_sql()
    return Statement(sql, tuple(parameters), queryset.db)


def _returning(queryset: QuerySet[Any], statement: Statement, returned: Iterable[Returned]) -> Statement:
    query = queryset.model._default_manager.all().query
    query.get_initial_alias()
    compiler = query.get_compiler(using=queryset.db)
    expressions = (F(one) if isinstance(one, str) else one for one in returned)
    columns, parameters = zip(*(compiler.compile(one.resolve_expression(query)) for one in expressions), strict=True)
    return replace(
        statement,
        sql=f"{statement.sql} RETURNING {', '.join(columns)}",
        parameters=(*statement.parameters, *(one for some in parameters for one in some)),
    )

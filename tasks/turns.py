"""Whose turn it is to write: the database lets one transaction at a time write the tasks of a user.

A statement of the API's waits for its user's turn before it locks any row. An operator's would wait with rows locked,
for somebody who waits for one of them; so an operator's transaction takes the turn first. So does a statement of the
API's that has to see all that others have written before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import CharField, Func, QuerySet

from tasks.statements import Parameter, Statement

OF_USER = Statement("SELECT task_turn(%s)", (Parameter("user_id", CharField()),), DEFAULT_DB_ALIAS)
"""Takes the user's turn for the API, until the end of the transaction."""


@contextmanager
def writing_for(user_id: str) -> Iterator[None]:
    """Write the tasks of one user, in one transaction: its statements wait for that user's turn, and nobody else's."""
    with transaction.atomic("operator"):
        with connections["operator"].cursor() as cursor:
            cursor.execute("SELECT set_config('app.user_id', %s, true)", [user_id])
        yield


def take(tasks: QuerySet[Any]) -> None:
    """Take the turns of the users of these tasks, until the end of the transaction."""
    list(tasks.order_by().values_list(Func("user_id", function="task_turn")))

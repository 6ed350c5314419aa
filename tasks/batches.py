"""Several operations in one transaction: all of them are done, or none is."""

from collections.abc import Mapping
from itertools import chain, count
from typing import Any

from django.db import transaction

from tasks import queries, statements, turns
from tasks.models import Task
from tasks.operations import Create, Delete, Operation, Update
from tasks.preconditions import PreconditionFailed
from tasks.statements import Statement

_Step = tuple[Statement, Mapping[str, Any]]


class BatchFailed(Exception):
    """The operation at `index` could not be done, because of `cause`; nothing was."""

    def __init__(self, index: int, cause: Exception) -> None:
        super().__init__(index, cause)
        self.index, self.cause = index, cause


def run(user_id: str, operations: list[Operation]) -> str:
    """Do them one after another; the results as JSON, in the shape of `operations.BatchResults`.

    One message for all of them, because none needs the answer to another; that one has failed is found out afterwards,
    and undone by the caller's transaction. Raises BatchFailed for the first that could not be done.
    """
    steps = [_steps(user_id, operation) for operation in operations]
    turn = (turns.OF_USER, {"user_id": user_id})
    if not transaction.get_connection(turn[0].using).in_atomic_block:
        raise transaction.TransactionManagementError("a batch needs a transaction")
    answers = iter(statements.together([turn, *chain(*steps)])[1:])
    done = [[next(answers) for _ in some] for some in steps]
    results = map(_result, count(), operations, done)
    return f'{{"results":[{",".join(results)}]}}'


def _steps(user_id: str, operation: Operation) -> list[_Step]:
    """What does it, and before a conditional one, what finds out whether there is such a task."""
    if isinstance(operation, Create):
        return [(queries.creating(), {"user_id": user_id, **operation.task.given})]
    one, when = {"user_id": user_id, "id": operation.id}, operation.when
    there = [(queries.getting(), one)] if when.parts else []
    given = operation.task.given if isinstance(operation, Update) else {}
    return [*there, (_doing(operation, when.parts), one | when.values | given)]


def _doing(operation: Update | Delete, preconditions: tuple[str, ...]) -> Statement:
    if isinstance(operation, Delete):
        return queries.deleting(preconditions)
    names = tuple(operation.task.given)
    return queries.updating(names, preconditions) if names else queries.getting(preconditions)


_Rows = list[tuple[Any, ...]]
_STATUS = {"create": 201, "update": 200}


def _result(index: int, operation: Operation, answers: list[_Rows]) -> str:
    """The result of an operation in JSON, from the rows of its statements."""
    *there, rows = answers
    if not rows:
        raise BatchFailed(index, PreconditionFailed() if there and there[0] else Task.DoesNotExist())
    if isinstance(operation, Delete):
        return '{"status":204}'
    return f'{{"status":{_STATUS[operation.op]},"task":{rows[0][0]}}}'

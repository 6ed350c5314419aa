"""What is kept of a user, in numbers."""

from functools import cache

from django.db.models import Count

from tasks import statements
from tasks.models import Task
from tasks.statements import Parameter, Statement


def counts(user_id: str) -> dict[str, int]:
    """How many of the user's tasks are `open` and `completed`."""
    of = dict(_by_state().rows(user_id=user_id))
    return {"open": of.get(False, 0), "completed": of.get(True, 0)}


@cache
def _by_state() -> Statement:
    own = Task.objects.owned_by(Parameter("user_id", Task._meta.get_field("user_id")))
    return statements.select(own.values_list("completed").annotate(Count("id")))

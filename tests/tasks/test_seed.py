"""`manage.py seed`."""

import io
import re

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction

from tasks.models import Task

pytestmark = pytest.mark.django_db(databases=["default", "operator"])
SEEDED = Task.objects.using("operator").filter(user_id__startswith="seed-")


def _seed(**options: int) -> str:
    out = io.StringIO()
    call_command("seed", stdout=out, **options)
    return out.getvalue()


def test_seed_inserts_that_many_tasks_of_that_many_users() -> None:
    assert re.match(r"60 rows in [\d.]+ s \(\d+ rows/s\)\n", _seed(users=3, tasks=20))
    assert SEEDED.count() == 60
    assert SEEDED.values("user_id").distinct().count() == 3
    assert SEEDED.filter(completed=True).exists()


def test_seed_repeats_texts_for_the_same_number() -> None:
    texts = []
    for _ in range(2):
        _seed(users=1, tasks=30, random_seed=7)
        texts.append(list(SEEDED.order_by("order").values_list("text", flat=True)))
        SEEDED.all().remove()
    assert texts[0] == texts[1]


def test_seed_speaks_several_scripts() -> None:
    _seed(users=1, tasks=200, random_seed=1)
    text = "".join(SEEDED.values_list("text", flat=True))
    for script in ("[a-z]", "[а-я]", "[ぁ-ん]", "[ا-ي]", "[\U0001f300-\U0001faff]"):  # noqa: RUF001 (ranges of scripts)
        assert re.search(script, text)


def test_seed_is_all_or_nothing() -> None:
    with connections["operator"].cursor() as cursor:
        cursor.execute('ALTER TABLE tasks_task ADD CONSTRAINT few CHECK ("order" < 5) NOT VALID')
    with pytest.raises(CommandError, match="few"), transaction.atomic("operator"):
        _seed(users=1, tasks=10)
    assert not SEEDED.exists()


@pytest.mark.parametrize("options", [{"users": 0, "tasks": 1}, {"users": 1, "tasks": -1}])
def test_seed_refuses_numbers_that_make_no_sense(options: dict[str, int]) -> None:
    with pytest.raises(CommandError) as caught:
        _seed(**options)
    assert caught.value.returncode == 2

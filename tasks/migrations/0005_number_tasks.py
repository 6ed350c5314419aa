from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

BATCH = 1_000


def number(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """A batch at a time, each a short transaction; interrupted, it goes on when this runs again.

    First the turns of the users, then the locks of the rows, as the API does: nobody locks up.
    """
    alias = schema_editor.connection.alias
    tasks = apps.get_model("tasks", "Task").objects.using(alias)
    last = None
    while True:
        rest = tasks.order_by("id") if last is None else tasks.order_by("id").filter(id__gt=last)
        ids = list(rest.values_list("id", flat=True)[:BATCH])
        if not ids:
            return
        batch = tasks.filter(id__in=ids, revision=0)
        with transaction.atomic(using=alias):
            list(batch.values_list(models.Func("user_id", function="task_turn")))
            batch.update(revision=1)  # whatever it is set to, the trigger gives it the next
        last = ids[-1]


class Migration(migrations.Migration):
    """Numbers the tasks that were there before there were revisions, then builds the index without locking writers out."""

    atomic = False

    dependencies = [("tasks", "0004_revisions")]

    operations = [
        migrations.RunPython(number, migrations.RunPython.noop),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS task_user_revision", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name="task", index=models.Index(fields=["user_id", "revision"], name="task_user_revision")
        ),
    ]

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.contrib.postgres.search import SearchVector
from django.db import migrations, models


class Migration(migrations.Migration):
    """Built without locking writers out. Interrupted, that leaves an invalid index, which goes when this runs again."""

    atomic = False  # CREATE INDEX CONCURRENTLY refuses to be part of a transaction

    dependencies = [("tasks", "0002_row_level_security")]

    operations = [
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS task_newest_first", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name="task",
            index=models.Index(fields=["-created_at", "-id"], name="task_newest_first"),
        ),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS task_words", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name="task",
            index=GinIndex(SearchVector("text", config="simple"), name="task_words", gin_pending_list_limit=512),
        ),
    ]

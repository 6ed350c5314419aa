from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

INDEX = models.Index(
    fields=["-created_at", "-id"], name="task_of_all_newest_first", condition=models.Q(revision__gte=0)
)


class Migration(migrations.Migration):
    """For whoever has few tasks among others with many, a kept plan would have gone through all of them, newest first.

    Built without locking writers out. Interrupted, that leaves an invalid index, which goes when this runs again.
    """

    atomic = False  # CREATE INDEX CONCURRENTLY refuses to be part of a transaction

    dependencies = [("tasks", "0008_find_one_task_by_its_id")]

    operations = [
        migrations.RunSQL("SET lock_timeout = 0", "SET lock_timeout = 0"),  # it waits for whoever is writing
        migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX.name}", migrations.RunSQL.noop),
        AddIndexConcurrently("task", INDEX),
        RemoveIndexConcurrently("task", "task_newest_first"),
        migrations.RunSQL("RESET lock_timeout", "RESET lock_timeout"),
    ]

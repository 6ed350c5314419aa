from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

INDEXES = [
    models.Index(fields=["user_id", "-updated_at", "-id"], name="task_user_last_changed"),
    models.Index(fields=["user_id", "order", "-created_at", "-id"], name="task_user_in_order"),
    models.Index(fields=["user_id", "completed", "-created_at", "-id"], name="task_user_open_or_done"),
]


class Migration(migrations.Migration):
    """Built without locking writers out. Interrupted, that leaves an invalid index, which goes when this runs again."""

    atomic = False  # CREATE INDEX CONCURRENTLY refuses to be part of a transaction

    dependencies = [("tasks", "0005_number_tasks")]

    operations = [
        migrations.RunSQL("SET lock_timeout = 0", "SET lock_timeout = 0"),  # it waits for whoever is writing
        *(
            operation
            for index in INDEXES
            for operation in (
                migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}", migrations.RunSQL.noop),
                AddIndexConcurrently("task", index),
            )
        ),
        migrations.RunSQL("RESET lock_timeout", "RESET lock_timeout"),
    ]

"""A policy that is an index condition has one task looked for among all of its user's, wherever they are thought few."""

from django.db import migrations

OWN = "user_id = nullif(current_setting('app.user_id', true), '')"
ALTER = "ALTER POLICY task_own_rows ON tasks_task USING ({}) WITH CHECK ({})"


class Migration(migrations.Migration):
    dependencies = [("tasks", "0007_idempotency_keys")]
    operations = [migrations.RunSQL(ALTER.format(f"coalesce({OWN}, false)", OWN), ALTER.format(OWN, OWN))]

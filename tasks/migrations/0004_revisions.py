"""What keeps the feed of changes true, whoever writes: every change of a task has a revision, every deletion a tombstone."""

from django.db import migrations, models

# Writers of one user take turns, each to the end of its transaction, so that revisions are in the order of commits.
# Who says for whom it writes, as the API does, has a turn of that user's own. Who does not (operators, whose statement
# may concern any number of users, and there is little room for locks) takes one of 2,048, which users only share.
TURNS = """
CREATE FUNCTION task_turn(owner text) RETURNS boolean LANGUAGE sql AS $$
    SELECT CASE WHEN owner = current_setting('app.user_id', true)
        THEN pg_advisory_xact_lock(hashtextextended(owner, 0)) IS NOT NULL
            AND pg_advisory_xact_lock_shared(501349, hashtext(owner) & 2047) IS NOT NULL
        ELSE pg_advisory_xact_lock(501349, hashtext(owner) & 2047) IS NOT NULL
    END
$$;
"""
NO_TURNS = "DROP FUNCTION task_turn(text)"

# As the owner, because the API's role may do none of this by itself.
REVISIONS = """
CREATE SEQUENCE task_revision OWNED BY tasks_task.revision;

CREATE FUNCTION task_await_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF public.task_turn(current_setting('app.user_id')) THEN END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION task_revise() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.task_turn(NEW.user_id) THEN
        NEW.revision := nextval('public.task_revision');
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION task_bury() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.task_turn(OLD.user_id) THEN
        INSERT INTO public.tasks_tombstone (user_id, task_id, revision, deleted_at)
        VALUES (OLD.user_id, OLD.id, nextval('public.task_revision'), clock_timestamp())
        ON CONFLICT (user_id, task_id) DO UPDATE SET revision = EXCLUDED.revision, deleted_at = EXCLUDED.deleted_at;
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE FUNCTION task_bury_all() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.tasks_tombstone (user_id, task_id, revision, deleted_at)
    SELECT user_id, id, nextval('public.task_revision'), clock_timestamp() FROM public.tasks_task
    ON CONFLICT (user_id, task_id) DO UPDATE SET revision = EXCLUDED.revision, deleted_at = EXCLUDED.deleted_at;
    RETURN NULL;
END $$;

CREATE TRIGGER task_await_turn BEFORE UPDATE OR DELETE ON tasks_task FOR EACH STATEMENT
    WHEN (current_setting('app.user_id', true) <> '') EXECUTE FUNCTION task_await_turn();
CREATE TRIGGER task_revise BEFORE INSERT ON tasks_task FOR EACH ROW EXECUTE FUNCTION task_revise();
CREATE TRIGGER task_revise_changed BEFORE UPDATE ON tasks_task FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION task_revise();
CREATE TRIGGER task_bury BEFORE DELETE ON tasks_task FOR EACH ROW EXECUTE FUNCTION task_bury();
CREATE TRIGGER task_bury_moved BEFORE UPDATE OF user_id, id ON tasks_task FOR EACH ROW
    WHEN (OLD.user_id <> NEW.user_id OR OLD.id <> NEW.id) EXECUTE FUNCTION task_bury();
CREATE TRIGGER task_bury_all BEFORE TRUNCATE ON tasks_task FOR EACH STATEMENT EXECUTE FUNCTION task_bury_all();
"""
NO_REVISIONS = """
DROP FUNCTION task_bury_all() CASCADE;
DROP FUNCTION task_bury() CASCADE;
DROP FUNCTION task_revise() CASCADE;
DROP FUNCTION task_await_turn() CASCADE;
DROP SEQUENCE task_revision;
"""

# A user may see what was deleted, and have all of it erased; only the triggers write it.
PROTECT = """
ALTER TABLE tasks_tombstone ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tombstone_own_rows ON tasks_tombstone FOR SELECT
    USING (user_id = nullif(current_setting('app.user_id', true), ''));
CREATE POLICY tombstone_erase_own ON tasks_tombstone FOR DELETE
    USING (user_id = nullif(current_setting('app.user_id', true), ''));
CREATE POLICY tombstone_operators ON tasks_tombstone TO CURRENT_USER USING (true) WITH CHECK (true);
"""


class Migration(migrations.Migration):
    dependencies = [("tasks", "0003_find_tasks_of_all_users")]

    operations = [
        migrations.CreateModel(
            name="Tombstone",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "user_id", "task_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("user_id", models.CharField(max_length=255)),
                ("task_id", models.UUIDField()),
                ("revision", models.BigIntegerField()),
                ("deleted_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["user_id", "revision"], name="tombstone_user_revision"),
                    models.Index(fields=["deleted_at"], name="tombstone_deleted_at"),
                ]
            },
        ),
        migrations.RunSQL(PROTECT, migrations.RunSQL.noop),
        migrations.AddField("task", "revision", models.BigIntegerField(db_default=0, editable=False)),
        migrations.RunSQL(TURNS, NO_TURNS),
        migrations.RunSQL(REVISIONS, NO_REVISIONS),
    ]

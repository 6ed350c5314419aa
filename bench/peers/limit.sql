CREATE TABLE task (
    id uuid PRIMARY KEY,
    user_id text NOT NULL,
    text text NOT NULL,
    completed boolean NOT NULL DEFAULT false,
    "order" integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz
);
CREATE INDEX task_user_newest_first ON task (user_id, created_at DESC, id DESC);

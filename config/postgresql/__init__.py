"""The database backend: Django's own for PostgreSQL, at home behind a pooler that naps."""

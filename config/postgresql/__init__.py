"""The database backend: Django's own for PostgreSQL, which also knows the embedded server."""

"""The service as it stands in production: the owner's and the API's roles, PgBouncer, distance, naps and restarts."""

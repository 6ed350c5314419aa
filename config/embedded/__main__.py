"""`python -m config.embedded DATABASE COMMAND…`: run a program with a database of its own in the embedded PostgreSQL.

It finds the URL in DATABASE_URL, and the server runs as long as it does.
"""

import os
import sys
from contextlib import suppress

import psycopg
from psycopg import sql

from config import embedded

database, *command = sys.argv[1:]
url = embedded.url()
with psycopg.connect(url, autocommit=True) as server, suppress(psycopg.errors.DuplicateDatabase):
    server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
os.environ["DATABASE_URL"] = url.removesuffix(embedded.DATABASE) + database
os.execvp(command[0], command)  # noqa: S606 (no shell is wanted)

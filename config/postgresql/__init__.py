"""The database backend: Django's own for PostgreSQL, at home behind a pooler that naps.

- `base`: the backend, where the other parts come together;
- `connection`: a connection that no request waits for longer than its `patience`;
- `row_security`: whose rows a statement may see, said in the statement's own message;
- `retry`: what is tried again, how often, and what never is;
- `roles`: the owner and the API's role, and what each may do.
"""

"""django-bolt: HTTP, CORS and tokens in Rust, Django's ORM behind, rows as `.values()` and never as instances."""

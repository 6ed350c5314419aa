"""What clients rely on, through HTTP: in this process, on a live gunicorn, and on a live uvicorn."""

"""Tasks as a file for a browser, sent as it is read."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from tasks.export import Ask, Form, directly, export, stream
from tasks.models import TaskQuerySet


def download(request: HttpRequest, queryset: TaskQuerySet, form: Form, ask: Ask = directly) -> StreamingHttpResponse:
    """Answer with a file of the queryset's tasks, which are read by `ask`."""
    chunks = export(stream(queryset, ask), form)
    return StreamingHttpResponse(
        # Django would put together what an ASGI server is to stream.
        _between_others(chunks) if isinstance(request, ASGIRequest) else chunks,
        content_type=form.media_type,
        headers={"Content-Disposition": f'attachment; filename="tasks-{timezone.now():%Y-%m-%d}.{form}"'},
    )


async def _between_others(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while chunk := await sync_to_async(lambda: next(chunks, b""))():
        yield chunk

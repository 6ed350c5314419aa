"""Operations on several tasks at once, each in one transaction."""

from django.http import HttpResponse
from ninja import Router

from tasks import batches, ordering, queries
from tasks.api import retries
from tasks.api.answers import json_answer, task_answer
from tasks.api.request import AuthenticatedRequest
from tasks.operations import Batch, BatchResults, Cleared, Move
from tasks.preconditions import Preconditions
from tasks.schemas import Task, TaskID

router = Router(tags=["Tasks"])


@router.post(
    "/batch", operation_id="batchTasks", summary="Create, change and delete several tasks", response=BatchResults
)
@retries.repeatable_transaction
def batch_tasks(request: AuthenticatedRequest, batch: Batch) -> HttpResponse:
    """Do all operations, one after another, or none of them.

    If one cannot be done, the answer is 422, `BATCH_FAILED`, and says which one and why. It counts as one request, and
    as any other its body is at most 64 KiB: that may be fewer than 100 long texts.
    """
    return json_answer(batches.run(request.auth.user_id, batch.operations))


@router.post("/clear-completed", operation_id="clearCompleted", summary="Delete all completed tasks", response=Cleared)
@retries.repeatable
def clear_completed(request: AuthenticatedRequest) -> HttpResponse:
    """Delete the caller's completed tasks for good; the answer has how many there were.

    So many that it takes longer than a request may: 503. What is deleted by then stays so, unless there is an
    `Idempotency-Key`; send it again.
    """
    return json_answer(f'{{"deleted":{queries.clear_completed(request.auth.user_id)}}}')


@router.post("/{task_id}/move", operation_id="moveTask", summary="Move a task", response=Task)
@retries.repeatable
def move_task(request: AuthenticatedRequest, task_id: TaskID, move: Move) -> HttpResponse:
    """Put a task directly after or before another one, or first or last, in the order of `sort=order`.

    All others stay in the order they are in. Only the task's own `order` is changed if there is a number left for it;
    else some of its new neighbours' are, too, as few as can be.
    """
    return task_answer(ordering.move(request.auth.user_id, task_id, move.place, Preconditions.of(request.META)))

"""What schemathesis cannot know (SCHEMATHESIS_HOOKS): each thing that is to be done has a key of its own."""

import uuid

import schemathesis


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case, _kwargs: object) -> None:
    """Where the key is valid, so that a case is no replay of another one."""
    key = "Idempotency-Key"
    if case.meta is not None and case.meta.generation.mode.is_positive and key in case.headers:
        case.headers[key] = f'"{uuid.uuid4()}"'

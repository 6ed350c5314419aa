"""FastAPI + SQLModel + asyncpg, as their documentation has it, in front of a pooler such as Neon's.

uvicorn bench.peers.fastapi_sqlmodel:app
python -m bench.peers.fastapi_sqlmodel    # makes the table
"""

import asyncio
import logging.config
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import jwt
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response, status
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import DateTime, Index, func, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from uuid6 import uuid7

from bench.peers.logs import LOGGING

logging.config.dictConfig(LOGGING)
logger = logging.getLogger("requests")

# Neon's pooler keeps prepared statements apart, so the caches stay on: without them a statement is two round trips.
engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://", 1),
    pool_size=16,
    max_overflow=0,
    pool_pre_ping=True,  # Neon ends idle connections
)
new_session = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)


def now() -> datetime:
    return datetime.now(UTC)


class TaskBase(SQLModel):
    text: str = Field(min_length=1, max_length=500)
    completed: bool = False
    order: int = Field(default=0, ge=-(2**31), le=2**31 - 1)


class Task(TaskBase, table=True):
    __table_args__ = (Index("ix_task_user_id_created_at", "user_id", "created_at"),)

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    user_id: str = Field(max_length=255)
    created_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(
        default_factory=now, sa_type=DateTime(timezone=True), sa_column_kwargs={"onupdate": now}
    )
    completed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))

    def change(self, values: dict[str, object]) -> None:
        """Take the values, and note when the task was completed."""
        self.sqlmodel_update(values)
        if not self.completed:
            self.completed_at = None
        elif self.completed_at is None:
            self.completed_at = now()


class TaskCreate(TaskBase):
    pass


class TaskReplace(TaskBase):
    completed: bool


class TaskUpdate(SQLModel):
    text: str | None = Field(default=None, min_length=1, max_length=500)
    completed: bool | None = None
    order: int | None = Field(default=None, ge=-(2**31), le=2**31 - 1)


class TaskPublic(TaskBase):
    id: UUID
    user_id: str
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


class TaskList(SQLModel):
    tasks: list[TaskPublic]
    count: int


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


app = FastAPI(title="Tasks", lifespan=lifespan)
app.add_middleware(
    CORSMiddleware,
    allow_origins=os.environ["CORS_ORIGINS"].split(","),
    allow_credentials=True,
    allow_methods=["*"],
    allow_headers=["*"],
)


@app.middleware("http")
async def log_request(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    started = time.perf_counter()
    response = await call_next(request)
    fields = {
        "method": request.method,
        "path": request.url.path,
        "status": response.status_code,
        "milliseconds": round((time.perf_counter() - started) * 1000, 2),
    }
    logger.info("request", extra={"request": fields})
    return response


async def get_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


async def get_user_id(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    try:
        claims = jwt.decode(
            credentials.credentials,
            os.environ["BETTER_AUTH_SECRET"],
            algorithms=["HS256"],
            options={"require": ["exp", "sub"]},
        )
    except jwt.InvalidTokenError as exc:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Invalid token", {"WWW-Authenticate": "Bearer"}) from exc
    return claims["sub"]


Session = Annotated[AsyncSession, Depends(get_session)]
UserID = Annotated[str, Depends(get_user_id)]


async def get_own_task(task_id: UUID, session: Session, user_id: UserID) -> Task:
    task = (await session.exec(select(Task).where(Task.id == task_id, Task.user_id == user_id))).first()
    if task is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "Task not found")
    return task


OwnTask = Annotated[Task, Depends(get_own_task)]


async def save(session: AsyncSession, task: Task) -> Task:
    session.add(task)
    await session.commit()
    await session.refresh(task)
    return task


@app.get("/tasks", response_model=TaskList)
async def list_tasks(
    session: Session, user_id: UserID, limit: Annotated[int | None, Query(ge=1, le=500)] = None
) -> dict[str, object]:
    own = select(Task).where(Task.user_id == user_id)
    newest_first = own.order_by(col(Task.created_at).desc(), col(Task.id).desc())
    tasks = (await session.exec(newest_first.limit(limit))).all()
    if limit is None:
        return {"tasks": tasks, "count": len(tasks)}
    count = (await session.exec(select(func.count()).select_from(own.subquery()))).one()
    return {"tasks": tasks, "count": count}


@app.post("/tasks", response_model=TaskPublic, status_code=status.HTTP_201_CREATED)
async def create_task(new: TaskCreate, session: Session, user_id: UserID, response: Response) -> Task:
    task = Task(user_id=user_id)
    task.change(new.model_dump())
    await save(session, task)
    response.headers["Location"] = f"/tasks/{task.id}"
    return task


@app.get("/tasks/{task_id}", response_model=TaskPublic)
async def get_task(task: OwnTask) -> Task:
    return task


@app.put("/tasks/{task_id}", response_model=TaskPublic)
async def replace_task(replacement: TaskReplace, task: OwnTask, session: Session) -> Task:
    task.change(replacement.model_dump())
    return await save(session, task)


@app.patch("/tasks/{task_id}", response_model=TaskPublic)
async def update_task(changes: TaskUpdate, task: OwnTask, session: Session) -> Task:
    task.change(changes.model_dump(exclude_unset=True))
    return await save(session, task)


@app.delete("/tasks/{task_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_task(task: OwnTask, session: Session) -> None:
    await session.delete(task)
    await session.commit()


@app.get("/health", response_model=None)
async def health(session: Session) -> dict[str, str] | JSONResponse:
    try:
        await session.exec(text("SELECT 1"))
    except (SQLAlchemyError, OSError):
        return JSONResponse({"status": "unhealthy", "database": "disconnected"}, 503)
    return {"status": "healthy", "database": "connected"}


async def make_table() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(make_table())

"""The admin's window on Redis: models without a table."""

import json
from datetime import datetime
from typing import Any, NoReturn, Self

from django.db import NotSupportedError, models

from chat.admin.querysets import MessageQuerySet, SessionQuerySet, to_datetime
from chat.store.listing import SessionRow


class RedisModel(models.Model):
    """What the store keeps; it is changed by services only."""

    class Meta:
        abstract = True

    def save(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse."""
        raise NotSupportedError(f"{type(self).__name__}: changed by services only")

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse; a query set of sessions deletes them."""
        raise NotSupportedError(f"{type(self).__name__}: deleted by services only")


class Session(RedisModel):
    """A session as it stands in a list."""

    id = models.CharField(primary_key=True, max_length=40)
    name = models.TextField()
    model = models.TextField()
    created_at = models.DateTimeField()
    last_active_at = models.DateTimeField("last activity")
    expires_at = models.DateTimeField("expires")
    running = models.BooleanField()
    waiting = models.IntegerField()
    messages = models.IntegerField()

    objects = SessionQuerySet.as_manager()
    # All that the store told.
    row: SessionRow

    class Meta:
        managed = False
        default_permissions = ("view", "change", "delete")
        permissions = [
            ("redact_session", "Can redact messages"),
            ("export_session", "Can export sessions"),
        ]
        ordering = ("-last_active_at",)

    def __str__(self) -> str:
        return f"{self.name} ({self.id})" if self.name else self.id

    @classmethod
    def from_row(cls, row: SessionRow) -> Self:
        """Return the session that a row of the list tells of."""
        session = cls(
            id=row.id,
            name=json.loads(row.name),
            model=json.loads(row.model),
            created_at=to_datetime(row.created_at),
            last_active_at=to_datetime(row.last_active_at),
            expires_at=to_datetime(row.expires_at),
            running=row.is_running,
            waiting=row.queued_turns,
            messages=row.message_count,
        )
        session.row = row
        return session

    @property
    def status(self) -> str:
        """The word that clients are told, or that a worker is on it."""
        if self.running:
            return "cancelling" if self.row.is_cancelling else "running"
        return "waiting" if self.waiting else "idle"

    @property
    def lease_until(self) -> datetime | None:
        """When the running turn is taken from a worker that is silent."""
        return to_datetime(self.row.lease_expires_at)

    @property
    def retry_at(self) -> datetime | None:
        """When the turn at the inbox's head may be tried again."""
        return to_datetime(self.row.retry_at)


class Message(RedisModel):
    """A message of a session."""

    # `<session id>/<message id>`.
    id = models.CharField(primary_key=True, max_length=60)
    session = models.CharField(max_length=40)
    number = models.BigIntegerField()
    role = models.CharField(max_length=9)
    status = models.CharField(max_length=11)
    content = models.TextField()

    objects = MessageQuerySet.as_manager()
    # All that clients are told of it.
    data: dict[str, Any]

    class Meta:
        managed = False
        default_permissions = ()

    def __str__(self) -> str:
        return self.id

    @classmethod
    def from_json(cls, session_id: str, stored: bytes) -> Self:
        """Return the message that the store's JSON tells of."""
        told = json.loads(stored)
        message = cls(
            id=f"{session_id}/{told['id']}",
            session=session_id,
            number=int(told["id"].removeprefix("msg_")),
            role=told["role"],
            status=told["status"],
            content=told["content"],
        )
        message.data = told
        return message

    @property
    def name(self) -> str:
        """Its id within the session."""
        return f"msg_{self.number}"

    @property
    def seq(self) -> int:
        """The number of the event that changed it last."""
        return int(self.data["seq"])

    @property
    def is_open(self) -> bool:
        """Whether it is a reply that is not over."""
        return self.status in {"queued", "in_progress"}

    @property
    def created_at(self) -> datetime | None:
        """When it was accepted."""
        return to_datetime(self.data["created_at"])

    @property
    def queued_for(self) -> float | None:
        """Seconds from acceptance until the last attempt began."""
        return _elapsed(self.data["created_at"], self.data["started_at"])

    @property
    def duration(self) -> float | None:
        """Seconds that the last attempt took."""
        return _elapsed(self.data["started_at"], self.data["completed_at"])


def _elapsed(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else max(0.0, end - start)

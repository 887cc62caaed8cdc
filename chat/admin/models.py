"""Read-only Django models of sessions and messages in Redis; no tables."""

import json
from datetime import datetime
from typing import Any, NoReturn, Self
from urllib.parse import urlencode

from django.db import NotSupportedError, models

from chat.admin.budget_rows import reply_cost
from chat.admin.querysets import MessageQuerySet, SessionQuerySet, to_datetime
from chat.conversation import staff
from chat.store.session_rows import SessionRow


class RedisModel(models.Model):
    """A model that cannot be saved: `chat.conversation` changes the stored objects."""

    class Meta:
        abstract = True

    def save(self, *_: Any, **__: Any) -> NoReturn:
        raise NotSupportedError(f"{type(self).__name__} objects cannot be saved")

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        raise NotSupportedError(f"{type(self).__name__} objects cannot be deleted one by one")


class Session(RedisModel):
    """A session with the fields of a list's row."""

    id = models.CharField(primary_key=True, max_length=40)
    name = models.TextField()
    model = models.TextField()
    created_at = models.DateTimeField()
    last_active_at = models.DateTimeField("last activity")
    expires_at = models.DateTimeField("expires")
    is_running = models.BooleanField()
    queued_turns = models.IntegerField()
    messages = models.IntegerField()

    objects = SessionQuerySet.as_manager()
    # The row that the fields are from.
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
        session = cls(
            id=row.id,
            name=json.loads(row.name),
            model=json.loads(row.model),
            created_at=to_datetime(row.created_at),
            last_active_at=to_datetime(row.last_active_at),
            expires_at=to_datetime(row.expires_at),
            is_running=row.is_running,
            queued_turns=row.queued_turns,
            messages=row.message_count,
        )
        session.row = row
        return session

    @property
    def status(self) -> str:
        """Return `idle`, `waiting`, `running` or `cancelling`."""
        if self.is_running:
            return "cancelling" if self.row.is_cancelling else "running"
        return "waiting" if self.queued_turns else "idle"

    @property
    def user_query(self) -> str:
        """Return the query string of the page of its user."""
        return urlencode({"tenant": self.row.tenant, "user": self.row.user})

    @property
    def can_cancel(self) -> bool:
        """Return whether a turn is open whose cancellation is not requested yet."""
        return self.queued_turns > 0 or self.status == "running"

    @property
    def retry_at(self) -> datetime | None:
        """Return when the next queued turn is attempted again."""
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
    # The message as clients receive it.
    data: dict[str, Any]

    class Meta:
        managed = False
        default_permissions = ()

    def __str__(self) -> str:
        return self.id

    @classmethod
    def from_json(cls, session_id: str, stored: bytes) -> Self:
        data = json.loads(stored)
        message = cls(
            id=f"{session_id}/{data['id']}",
            session=session_id,
            number=int(data["id"].removeprefix("msg_")),
            role=data["role"],
            status=data["status"],
            content=data["content"],
        )
        message.data = data
        return message

    @property
    def message_id(self) -> str:
        """Return the id within the session."""
        return f"msg_{self.number}"

    @property
    def seq(self) -> int:
        """Return the seq of the event that changed it last."""
        return int(self.data["seq"])

    @property
    def is_open(self) -> bool:
        """Return whether it is a reply that is queued or running."""
        return self.status in {"queued", "in_progress"}

    @property
    def is_redacted(self) -> bool:
        return self.content == staff.REDACTED

    @property
    def retry_at(self) -> datetime | None:
        """Return when a reply that waits is attempted again."""
        return to_datetime((self.data["wait"] or {}).get("retry_at") or 0)

    @property
    def created_at(self) -> datetime | None:
        return to_datetime(self.data["created_at"])

    @property
    def reasoning(self) -> str:
        """Return the reasoning of a reply."""
        items = self.data.get("items", ())
        return "\n\n".join(item["text"] for item in items if item["type"] == "reasoning")

    @property
    def cost(self) -> str:
        """Return what the reply has cost, formatted; "" if that is not known."""
        return reply_cost(self.data)

    @property
    def queued_for(self) -> float | None:
        """Return the seconds from acceptance to the start of the last attempt."""
        return _elapsed(self.data["created_at"], self.data["started_at"])

    @property
    def duration(self) -> float | None:
        """Return the seconds that the last attempt took."""
        return _elapsed(self.data["started_at"], self.data["completed_at"])


def _elapsed(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else max(0.0, end - start)

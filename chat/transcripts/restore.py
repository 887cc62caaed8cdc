"""Opening sessions that begin with an imported transcript."""

from chat.conversation import history, sessions
from chat.domain import InputMessage, Role
from chat.transcripts.jsonl import Transcript


def restore(
    transcript: Transcript, *, name: str = "", model: str | None = None, ttl: int | None = None
) -> str:
    """Open a session that begins with the transcript; return its token.

    Raises:
        UnknownModel, StoreFull, StoreUnavailable
    """
    messages = [
        message
        for pair in transcript.pairs
        for message in (
            InputMessage(Role.USER, pair.prompt, pair.parts),
            InputMessage(Role.ASSISTANT, pair.reply),
        )
    ]
    return sessions.open_with_history(
        history.build(messages),
        name=name,
        system_prompt=transcript.system_prompt,
        model=model,
        ttl=ttl,
    )

"""Opening sessions that begin with an imported transcript."""

from chat.conversation import sessions
from chat.transcripts.jsonl import Transcript


def restore(
    transcript: Transcript, *, name: str = "", model: str | None = None, ttl: int | None = None
) -> str:
    """Open a session that begins with the transcript; return its token.

    Raises:
        UnknownModel, StoreFull, StoreUnavailable
    """
    texts = [text for pair in transcript.pairs for text in (pair.prompt, pair.reply)]
    return sessions.open_with_history(
        texts, name=name, system_prompt=transcript.system_prompt, model=model, ttl=ttl
    )

"""Opening sessions that begin with an imported transcript."""

from dataclasses import asdict

import orjson

from chat.conversation import llms, tokens
from chat.domain import Context, NewSession
from chat.settings import chat_settings
from chat.store import sessions
from chat.transcripts.jsonl import Transcript


def restore(
    transcript: Transcript, *, name: str = "", model: str | None = None, ttl: int | None = None
) -> str:
    """Open a session that begins with the transcript; return its token.

    Raises:
        UnknownModel, StoreFull, StoreUnavailable
    """
    session_id = tokens.new_session_id()
    token = tokens.new_token(session_id)
    new = NewSession(
        id=session_id,
        token_hash=tokens.hash_token(token),
        ttl=ttl or chat_settings.SESSION_TTL,
        name=orjson.dumps(name),
        system_prompt=orjson.dumps(transcript.system_prompt),
        model=orjson.dumps(llms.name_or_default(model)),
        context=orjson.dumps(asdict(Context())),
        metadata=orjson.dumps({}),
    )
    texts = [text for pair in transcript.pairs for text in (pair.prompt, pair.reply)]
    sessions.restore(new, texts)
    return token

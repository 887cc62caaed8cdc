"""What of a session's history the model is shown."""

from collections.abc import Sequence

from chat.domain import Claim, HistoryMessage, Model, Prompt, PromptMessage, Role, Status

# UTF-8 bytes that one token stands for in the estimate; OpenAI's rule of thumb for English.
BYTES_PER_TOKEN = 4
# Tokens that a message takes beside its text: role and separators, as OpenAI's cookbook counts.
TOKENS_PER_MESSAGE = 4

# Replies whose text belongs to the conversation.
SHOWN = {Status.COMPLETED, Status.INCOMPLETE, Status.CANCELLED}


def prompt(claim: Claim, model: Model) -> Prompt:
    """Return the prompt for a claimed turn.

    It holds the system prompt, then the newest earlier turns that fit, then the message to be
    answered, which always stands. A turn without a reply's text is left out whole: a question left
    open would make the model answer it late. Of several replies to a message the newest one counts.
    The token budget is an estimate: no tokenizer is asked.
    """
    *earlier, asked = claim.history
    question = [PromptMessage(role=Role.USER, content=asked.content)]
    system = [PromptMessage(role=Role.SYSTEM, content=claim.system_prompt)]
    fixed = system + question if claim.system_prompt else question
    room = _room(claim, model) - sum(map(estimate, fixed))
    chosen = _newest(_turns(earlier), claim.context.messages - 1, room)
    return Prompt(messages=[*fixed[:-1], *chosen, *question], options=claim.options)


def cost(prompt: Prompt, model: Model) -> int:
    """Return about how many tokens a call takes: its prompt and the longest reply it may get."""
    reply = min(prompt.options.max_tokens or model.max_tokens, model.max_tokens)
    return sum(map(estimate, prompt.messages)) + reply


def estimate(message: PromptMessage) -> int:
    """Return about how many tokens the message takes in a prompt."""
    return TOKENS_PER_MESSAGE + estimate_text(message.content)


def estimate_text(text: str) -> int:
    """Return about how many tokens the text is."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def _room(claim: Claim, model: Model) -> int:
    """Most tokens of the prompt: the session's budget within what the model leaves for it."""
    reply = min(claim.options.max_tokens or model.max_tokens, model.max_tokens)
    most = model.context_tokens - reply
    return min(claim.context.tokens, most) if claim.context.tokens else most


def _turns(messages: Sequence[HistoryMessage]) -> list[list[PromptMessage]]:
    """Pair each user message with the newest reply to it that says something; oldest first."""
    replies = {
        message.reply_to: message
        for message in messages
        if message.role is Role.ASSISTANT and message.status in SHOWN and message.content
    }
    return [
        [
            PromptMessage(role=Role.USER, content=message.content),
            PromptMessage(role=Role.ASSISTANT, content=replies[message.id].content),
        ]
        for message in messages
        if message.role is Role.USER and message.id in replies
    ]


def _newest(turns: list[list[PromptMessage]], most: int, room: int) -> list[PromptMessage]:
    """Return the newest whole turns: at most `most` messages and `room` tokens, oldest first."""
    chosen: list[PromptMessage] = []
    for turn in reversed(turns):
        room -= sum(map(estimate, turn))
        if room < 0 or len(chosen) + len(turn) > most:
            break
        chosen = turn + chosen
    return chosen

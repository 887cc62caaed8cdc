"""The context window: the part of a session's history that is sent to the model."""

from collections.abc import Sequence

import orjson

from chat.domain import Claim, HistoryMessage, Model, Options, Prompt, PromptMessage, Role, Status
from chat.domain.errors import ContextTooLong
from chat.domain.files import Part, PartType

# UTF-8 bytes per token in estimates. OpenAI's rule of thumb for English.
BYTES_PER_TOKEN = 4
# Tokens of a message besides its text: role and separators, as in OpenAI's cookbook.
TOKENS_PER_MESSAGE = 4

# Images of a prompt.
MAX_IMAGES = 4
# Bytes of the images and files of a prompt; a file that several parts refer to counts for each.
MAX_FILE_BYTES = 20 * 1024 * 1024

# Statuses of replies that are part of the conversation.
CONTEXT_STATUSES = {Status.COMPLETED, Status.INCOMPLETE, Status.CANCELLED}


def build_prompt(claim: Claim, model: Model) -> Prompt:
    """Return the prompt for a claimed turn.

    It contains the system prompt unless it is blank, the newest earlier turns that fit, and the
    user message. A turn whose reply has no text is left out, or the model would answer its question
    late. Of several replies to a message the newest is used. Messages that the client has sent as
    the whole prompt replace the history. Token counts are estimates; no tokenizer is involved.

    Raises:
        ContextTooLong: system prompt and message exceed what the model can read, or what the
            session allows.
    """
    last = claim.history[-1]
    question = [fit_inputs(each, model) for each in claim.messages] or [
        fit_inputs(PromptMessage(Role.USER, last.content, last.parts), model)
    ]
    system_texts = (model.system_prompt or claim.system_prompt, claim.instructions)
    texts = [text for text in system_texts if text.strip()]
    system = [PromptMessage(role=Role.SYSTEM, content="\n\n".join(texts))]
    fixed = system + question if texts else question
    budget = _prompt_budget(claim, model) - _check_fixed_part(fixed, claim, model)
    turns = [] if claim.messages else _earlier_turns(claim.history, model)
    selected = _newest_that_fit(turns, claim.context.messages - 1, budget)
    is_cut = claim.has_more or len(selected) < sum(map(len, turns))
    if claim.is_untruncated and is_cut:
        raise ContextTooLong("The conversation is too long; `truncation` is `disabled`.")
    messages = [*fixed[: -len(question)], *selected, *question]
    return Prompt(messages=_keep_newest_files(messages), options=claim.options)


def fit_inputs(message: PromptMessage, model: Model) -> PromptMessage:
    """Return a message in which texts stand for the parts that the model does not read."""
    if not message.parts:
        return message
    return _replace_parts(message, [_can_read(model, part) for part in message.parts])


def _can_read(model: Model, part: Part) -> bool:
    return part.type in model.inputs and (model.image_urls or not part.url)


def _replace_parts(message: PromptMessage, are_kept: Sequence[bool]) -> PromptMessage:
    """Return a message in which texts stand for the parts that are not kept."""
    parts = tuple(
        part if is_kept else Part(PartType.TEXT, part.placeholder)
        for part, is_kept in zip(message.parts, are_kept, strict=True)
    )
    texts = [part.text for part in parts if part.type is PartType.TEXT]
    return PromptMessage(message.role, "\n".join(texts), parts if len(texts) < len(parts) else ())


def _keep_newest_files(messages: Sequence[PromptMessage]) -> Sequence[PromptMessage]:
    """Return the messages with the newest images and files; texts stand for the others."""
    if not any(message.parts for message in messages):
        return messages
    images, size = MAX_IMAGES, MAX_FILE_BYTES
    kept: list[PromptMessage] = []
    for message in reversed(messages):
        are_kept: list[bool] = []
        for part in reversed(message.parts):
            images -= part.type is PartType.IMAGE
            is_new = part.type is not PartType.IMAGE or images >= 0
            size -= part.size if is_new else 0
            are_kept.append(part.type is PartType.TEXT or (is_new and size >= 0))
        kept.append(message if all(are_kept) else _replace_parts(message, are_kept[::-1]))
    return kept[::-1]


def max_reply_tokens(options: Options, model: Model) -> int:
    """Return the tokens of the longest possible reply."""
    return min(options.max_tokens or model.max_tokens, model.max_tokens)


def estimate_prompt(prompt: Prompt) -> int:
    return sum(map(estimate_message, prompt.messages)) + estimate_format(prompt.options)


def estimate_format(options: Options) -> int:
    """Estimate the tokens of the schema that the reply is to have."""
    form = options.response_format
    return -(-len(orjson.dumps(form)) // BYTES_PER_TOKEN) if form else 0


def estimate_message(message: PromptMessage) -> int:
    """Estimate the tokens of a message in a prompt."""
    tokens, parts = TOKENS_PER_MESSAGE + estimate_text(message.content), message.parts
    return tokens + sum(part.tokens for part in parts) if parts else tokens


def estimate_text(text: str) -> int:
    # Python knows whether a text is ASCII.
    size = len(text) if text.isascii() else len(text.encode())
    return -(-size // BYTES_PER_TOKEN)


def _check_fixed_part(messages: Sequence[PromptMessage], claim: Claim, model: Model) -> int:
    """Return the tokens of the messages that must be sent.

    Raises:
        ContextTooLong: they do not fit.
    """
    needed = sum(map(estimate_message, messages)) + estimate_format(claim.options)
    for limit, text in (
        (_model_budget(claim, model), "the model takes"),
        (_prompt_budget(claim, model), "the session's `context` allows"),
    ):
        if needed > limit:
            raise ContextTooLong(
                f"System prompt and message need about {needed} tokens; {text} {limit}."
            )
    return needed


def _prompt_budget(claim: Claim, model: Model) -> int:
    """Return the maximum tokens of the prompt: the session's limit, within the model's."""
    limit = _model_budget(claim, model)
    return min(claim.context.tokens, limit) if claim.context.tokens else limit


def _model_budget(claim: Claim, model: Model) -> int:
    """Return the tokens that the model's context leaves for the prompt."""
    return model.context_tokens - max_reply_tokens(claim.options, model)


def _earlier_turns(messages: Sequence[HistoryMessage], model: Model) -> list[list[PromptMessage]]:
    """Return the turns of a history as the model gets them, oldest first."""
    return [
        [
            fit_inputs(PromptMessage(each.role, each.content, each.parts), model)
            for each in pair
            if each.content or each.parts
        ]
        for pair in pair_with_replies(messages)
    ]


def pair_with_replies(
    messages: Sequence[HistoryMessage],
) -> list[tuple[HistoryMessage, HistoryMessage]]:
    """Pair each user message with its newest reply that has text; oldest first.

    Messages of which there is an edited version are left out. Messages that a client has added to
    the history may lack the reply, or the user message: that has no text then.
    """
    replaced = {message.replaces for message in messages}
    replies = {
        message.reply_to: message
        for message in messages
        if message.role is Role.ASSISTANT
        and message.status in CONTEXT_STATUSES
        and (message.content or (message.status is Status.COMPLETED and not message.attempt))
    }
    return [
        (message, replies[message.id])
        for message in messages
        if message.role is Role.USER and message.id in replies and message.id not in replaced
    ]


def _newest_that_fit(
    turns: list[list[PromptMessage]], max_messages: int, max_tokens: int
) -> list[PromptMessage]:
    """Return the newest complete turns that fit, oldest first."""
    selected: list[PromptMessage] = []  # newest first
    for turn in reversed(turns):
        max_tokens -= sum(map(estimate_message, turn))
        if max_tokens < 0 or len(selected) + len(turn) > max_messages:
            break
        selected += reversed(turn)
    return selected[::-1]

"""Composes the reply to a call, in the style of the options."""

from dataclasses import replace

import orjson

from fakemodel.behaviour import Behaviour, Fault
from fakemodel.calls import Call
from fakemodel.replies import demo
from fakemodel.replies.reply import TOKEN, Reply, build_reply

RUN_ON = "\nHuman: Next question\nBot: Next answer"
REASONING = "The user said something. A short answer is best."


def compose(call: Call, behaviour: Behaviour, *, style: str) -> Reply:
    """Return the reply to `call`; the same call, behaviour and style give the same reply."""
    if behaviour.fault is Fault.EMPTY_REPLY:
        return build_reply("", call, tokens=None)
    text = _compose_text(call, behaviour, style=style)
    if call.prompt is not None:
        text = _continue_prompt(text, call.prompt, run_on=bool(behaviour.run_on))
    if behaviour.think:
        text = f"<think>\n{REASONING}\n</think>\n\n{text}"
    reply = build_reply(text, call, tokens=behaviour.tokens)
    if behaviour.reasoning:
        reply = replace(reply, reasoning=tuple(TOKEN.findall(REASONING)))
    return _apply_fault(reply, behaviour)


def _compose_text(call: Call, behaviour: Behaviour, *, style: str) -> str:
    if behaviour.reply is not None:
        return behaviour.reply
    echo = f"echo: {call.last_user_message}"
    if behaviour.history:
        return f"{echo}\n{_messages_as_json(call)}"
    return echo if style == "echo" else demo.compose(call.messages)


def _messages_as_json(call: Call) -> str:
    return orjson.dumps([message._asdict() for message in call.messages]).decode()


def _continue_prompt(text: str, prompt: str, *, run_on: bool) -> str:
    """Return `text` as a base model continues `prompt`: with a space, perhaps with more turns."""
    spaced = text if not prompt or prompt[-1].isspace() else f" {text}"
    return spaced + RUN_ON if run_on else spaced


def _apply_fault(reply: Reply, behaviour: Behaviour) -> Reply:
    """Return `reply` cut short or without usage, if the fault is one of these."""
    if behaviour.fault in {Fault.LENGTH, Fault.CONTENT_FILTER}:
        count = len(reply.tokens) // 2 if behaviour.after is None else behaviour.after
        finish_reason = "length" if behaviour.fault is Fault.LENGTH else "content_filter"
        return replace(
            reply, tokens=reply.tokens[:count], finish_reason=finish_reason, stop_sequence=""
        )
    if behaviour.fault is Fault.NO_USAGE:
        return replace(reply, has_usage=False)
    return reply

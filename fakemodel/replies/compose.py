"""From a call to the reply it gets, in the style that the server was started with."""

from dataclasses import replace

import orjson

from fakemodel.behaviour import Behaviour, Fault
from fakemodel.calls import Call
from fakemodel.replies import demo
from fakemodel.replies.memory import recall
from fakemodel.replies.reply import Reply, trim

RUN_ON = "\nHuman: And what then?\nBot: Then we shall see."


def compose(call: Call, behaviour: Behaviour, *, style: str, seed: int) -> Reply:
    """The reply to `call`: the same for the same call, behaviour, style and seed."""
    if behaviour.fault is Fault.EMPTY:
        return trim("", call, tokens=None)
    text = speak(call, behaviour, style=style, seed=seed)
    if call.prompt is not None:
        text = continue_prompt(text, call.prompt, run_on=bool(behaviour.run_on))
    return ended(trim(text, call, tokens=behaviour.tokens), behaviour)


def speak(call: Call, behaviour: Behaviour, *, style: str, seed: int) -> str:
    """What is said, before the wire format has its say."""
    if behaviour.reply is not None:
        return behaviour.reply
    if behaviour.history:
        return f"echo: {call.asked}\n{history(call)}"
    if style == "echo":
        return f"echo: {call.asked}"
    return demo.compose(recall(call.messages), seed)


def history(call: Call) -> str:
    """All messages that the model was shown, as one line of JSON."""
    shown = [{"role": message.role, "content": message.content} for message in call.messages]
    return orjson.dumps(shown).decode()


def continue_prompt(text: str, prompt: str, *, run_on: bool) -> str:
    """`text` as a raw model would write it on after `prompt`: spaced, perhaps without end."""
    spaced = text if not prompt or prompt[-1].isspace() else f" {text}"
    return spaced + RUN_ON if run_on else spaced


def ended(reply: Reply, behaviour: Behaviour) -> Reply:
    """`reply` with the ending that was asked for: cut short for a reason, or without usage."""
    if behaviour.fault in {Fault.LENGTH, Fault.CONTENT_FILTER}:
        kept = len(reply.tokens) // 2 if behaviour.after is None else behaviour.after
        finish = "length" if behaviour.fault is Fault.LENGTH else "content_filter"
        return replace(reply, tokens=reply.tokens[:kept], finish=finish, stopped_by="")
    if behaviour.fault is Fault.NO_USAGE:
        return replace(reply, tells_usage=False)
    return reply

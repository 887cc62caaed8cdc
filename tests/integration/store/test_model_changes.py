"""A turn for which its session changes the model."""

from dataclasses import replace

import orjson
import pytest
from pytest_django import Settings

from chat.conversation import sessions
from chat.domain import Caller
from chat.domain.errors import NotLastTurn, ParleyError, StoreUnavailable
from chat.protocols.senders import with_model
from chat.settings import chat_settings
from chat.store.calls import Steps, no_calls, run


def rejected(error: ParleyError) -> Steps[None]:
    yield from no_calls()
    raise error


def model_of(caller: Caller) -> str:
    model: str = orjson.loads(sessions.read(caller).model)
    return model


@pytest.mark.parametrize(
    ("error", "is_restored"), [(NotLastTurn(), True), (StoreUnavailable(retry_after=1), False)]
)
def test_rejected_turn_leaves_the_model(
    caller: Caller, settings: Settings, error: ParleyError, is_restored: bool
) -> None:
    default = chat_settings.DEFAULT_MODEL
    other = replace(settings.CHAT_MODELS[default], name="other")
    settings.CHAT_MODELS = {**settings.CHAT_MODELS, "other": other}
    with pytest.raises(type(error)):
        run(with_model(caller, default, "other", rejected(error)))
    assert model_of(caller) == (default if is_restored else "other")
    run(with_model(caller, None, "other", no_calls()))
    assert model_of(caller) == "other"

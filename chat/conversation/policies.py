"""The operator's rules: prompts, models and options that clients may not choose."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chat.accounts import api_keys
from chat.conversation import llms
from chat.domain import Caller, Claim, Model, Options, Principal
from chat.domain.errors import NotAllowed, UnknownModel
from chat.domain.identity import ADDRESS_PREFIX
from chat.domain.policy import NO_POLICY, Policy, allowed_options, check_options
from chat.settings import chat_settings
from chat.store import sessions
from chat.store.calls import Steps

FIXED_PROMPT = "The operator has set the system prompt."


def policy_of(principal: Principal | None) -> Policy:
    return NO_POLICY if principal is None else principal.policy


def choose_model(name: str | None, policy: Policy, *, is_anonymous: bool) -> str:
    """Return the model that a client asks for; without a name, the default that it may use.

    Raises:
        UnknownModel: there is no such model, or anonymous clients may not use it.
        NotAllowed: the client's API key may not use it.
    """
    if name is None and policy.models and chat_settings.DEFAULT_MODEL not in policy.models:
        name = policy.models[0]
    model = llms.get(name or chat_settings.DEFAULT_MODEL)
    if is_anonymous and not model.allow_anonymous:
        raise UnknownModel(param="model")
    if policy.models and model.name not in policy.models:
        raise NotAllowed("The API key may not use this model.", param="model")
    return model.name


def usable_models(client: Caller | Principal | None) -> list[Model]:
    """Return the models that a client may use; `None` for a client without credentials.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable: it has the token of a session.
    """
    if isinstance(client, Caller):
        rules = sessions.rules(client)
        policy, is_anonymous = rules.policy, rules.party.startswith(ADDRESS_PREFIX)
    else:
        policy, is_anonymous = policy_of(client), client is None
    return [
        model
        for model in llms.all_models().values()
        if (model.allow_anonymous or not is_anonymous)
        and (not policy.models or model.name in policy.models)
    ]


def choose_system_prompt(wanted: str | None, policy: Policy, model: str) -> str | None:
    """Return the system prompt of a new session.

    Raises:
        NotAllowed: the client wants one, but the operator has set it.
    """
    if wanted is not None:
        _check_prompt(policy, llms.get(model))
    return policy.system_prompt or wanted


def apply_to_changes(caller: Caller, changes: Mapping[str, Any]) -> Steps[dict[str, Any]]:
    """Check changes of a session's `model` and `system_prompt`; return them with the model's name.

    Raises:
        UnknownModel, NotAllowed: the operator does not allow them; nothing was changed.
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    if not changes.keys() & {"model", "system_prompt"}:
        return dict(changes)
    rules = yield from sessions.rules.steps(caller)
    applied = dict(changes)
    if "model" in changes:
        is_anonymous = rules.party.startswith(ADDRESS_PREFIX)
        applied["model"] = choose_model(changes["model"], rules.policy, is_anonymous=is_anonymous)
    if "system_prompt" in changes:
        model = llms.get(applied.get("model", rules.model))
        _check_prompt(rules.policy, model)
    return applied


def check_message_options(caller: Caller, options: Options | None) -> Steps[None]:
    """Check the options of a message. Without options, or rules about them, this reads nothing.

    Raises:
        NotAllowed, InvalidRequest: the session's model or API key does not allow them.
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    if options is None or options == Options() or not caller.credential:
        return
    has_rules = yield from _has_rules()
    if not has_rules:
        return
    rules = yield from sessions.rules.steps(caller)
    model = llms.all_models().get(rules.model)
    if model is not None:
        check_options(options, model.client_options)
    check_options(options, rules.policy.client_options)


def check_instructions(caller: Caller, instructions: str) -> Steps[None]:
    """Check instructions of a turn, which add to the session's system prompt.

    Raises:
        NotAllowed: the operator has set the system prompt.
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    if not instructions:
        return
    has_prompt = any(model.system_prompt for model in llms.all_models().values())
    if not has_prompt and not (yield from api_keys.have_policies()):
        return
    rules = yield from sessions.rules.steps(caller)
    model = llms.all_models().get(rules.model)
    if model is not None:
        _check_prompt(rules.policy, model)


def apply_to_claim(claim: Claim, model: Model) -> Claim:
    """Return the claim without what clients may not choose for the model that is called now.

    It may be another model than the one for which the message was checked: the session's model
    was changed since, or the turn goes to a fallback.
    """
    if model.client_options is None and not model.system_prompt:
        return claim
    return replace(
        claim,
        options=allowed_options(claim.options, model.client_options),
        instructions="" if model.system_prompt else claim.instructions,
    )


def _has_rules() -> Steps[bool]:
    """Return whether any model or API key restricts options."""
    models = llms.all_models().values()
    if any(model.client_options is not None for model in models):
        return True
    return (yield from api_keys.have_policies())


def _check_prompt(policy: Policy, model: Model) -> None:
    if policy.system_prompt or model.system_prompt:
        raise NotAllowed(FIXED_PROMPT, param="system_prompt")

"""Session tokens."""

import pytest

from chat.conversation import tokens
from chat.domain.errors import InvalidToken


@pytest.mark.security("S03")
def test_token_names_its_session_and_only_its_hash_is_kept() -> None:
    session_id = tokens.new_session_id()
    token = tokens.new_token(session_id)
    caller = tokens.caller_from_token(token)
    assert caller.session_id == session_id
    assert token not in repr(caller)
    assert caller.credential == tokens.hash_token(token) != token


@pytest.mark.security("S02")
def test_secret_has_256_bits_and_is_unique() -> None:
    created = {tokens.new_token("ses_" + "0" * 24) for _ in range(100)}
    assert len(created) == 100
    assert {len(token.partition(".")[2]) for token in created} == {43}


def test_same_seed_gives_the_same_session_and_token() -> None:
    session_id = tokens.new_session_id("key")
    assert tokens.new_session_id("key", prefix="beef") == "ses_beef" + session_id[4:-4]
    assert session_id == tokens.new_session_id("key") != tokens.new_session_id("other")
    assert tokens.new_token(session_id, "a") == tokens.new_token(session_id, "a")
    assert tokens.new_token(session_id, "a") != tokens.new_token(session_id, "b")


@pytest.mark.security("S03")
@pytest.mark.parametrize(
    "token",
    ["", "x", "ses_1.secret", f"ses_{'0' * 24}", f"ses_{'0' * 24}.", f"ses_{'0' * 24}.{'é' * 43}"],
)
def test_malformed_token_is_rejected(token: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.caller_from_token(token)

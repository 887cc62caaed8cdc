"""The errors with which scripts reply."""

import re

from chat.domain import errors
from chat.domain.errors import ParleyError, RateLimited
from chat.store.scripts import ERRORS, SCRIPTS_DIR, script_error

CODES = {
    kind.code.upper()
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ParleyError)
}


def test_every_error_that_a_script_replies_with_is_mapped() -> None:
    scripts = "".join(path.read_text() for path in SCRIPTS_DIR.rglob("*.lua"))
    replies = set(re.findall(r"'([A-Z_]+)'", scripts))
    assert replies & CODES == {reply.decode() for reply in ERRORS}


def test_each_reply_is_a_new_error() -> None:
    # The traceback of an instance that is raised again grows, and keeps its frames alive.
    for reply in ERRORS:
        assert script_error([reply]) is not script_error([reply])


def test_reply_with_a_time_sets_retry_after() -> None:
    error = script_error([b"RATE_LIMITED", 1500])
    assert isinstance(error, RateLimited)
    assert error.retry_after == 1.5


def test_other_replies_are_no_errors() -> None:
    assert script_error([b"ACCEPTED", b"{}"]) is None


def test_errors_of_replies_have_the_message_of_their_class() -> None:
    scripts = "".join(path.read_text() for path in SCRIPTS_DIR.rglob("*.lua"))
    found = dict(re.findall(r"error_result\('(\w+)',\s*'([^']+)'\)", scripts))
    kinds = (errors.TurnExpired, errors.WorkerLost, errors.DeadlineExceeded)
    assert found == {kind.code: kind().message for kind in kinds}

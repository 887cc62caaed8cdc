from chat.api.exception_handler import STATUSES
from chat.domain.errors import ParleyError, RateLimited, SlowConsumer, StoreUnavailable
from chat.realtime import close_codes


def test_private_close_codes_contain_the_http_status() -> None:
    assert close_codes.close_code(RateLimited()) == 4000 + STATUSES["rate_limited"]
    assert close_codes.close_code(SlowConsumer()) == 4413
    assert close_codes.close_code(ParleyError()) == close_codes.INTERNAL_ERROR
    assert close_codes.close_code(StoreUnavailable()) == close_codes.TRY_AGAIN_LATER

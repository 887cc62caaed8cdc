import pytest
from redis.exceptions import ResponseError

from chat.store.client import unavailable

AOF = "MISCONF Errors writing to the AOF file: "
DISK = "Storage cannot write to its disk: "
OTHER = "Storage is unavailable; the request may be stored. Retry with the same Idempotency-Key."


@pytest.mark.case("C35")
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (f"{AOF}No space left on device", f"{DISK}the disk is full."),
        (
            f"{AOF}No space left on device script: 0f, on @user_script:1.",
            f"{DISK}the disk is full.",
        ),
        (f"{AOF}Read-only file system", f"{DISK}Read-only file system."),
        ("MISCONF Redis is configured to save RDB snapshots", f"{DISK}the last snapshot failed."),
        ("LOADING Redis is loading the dataset in memory", OTHER),
    ],
)
def test_disk_errors_name_the_reason(error: str, message: str) -> None:
    assert unavailable(ResponseError(error)).message == message

"""Metrics of a busy deployment, in the format of the scripts and the workers."""

import math
import time
import zlib

import orjson


def busy_hour() -> dict[str, int]:
    """Return counters as the scripts would have written them, minute by minute."""
    minute = int(time.time()) // 60
    counters: dict[str, int] = {}
    for ago in range(59):
        counters[f"{minute - ago}:completed"] = round(40 + 25 * math.sin(ago / 7) + ago % 5)
        counters[f"{minute - ago}:failed"] = (ago % 11 == 0) + (3 if 20 < ago < 24 else 0)
        for kind, buckets in {"queue": (5, 10, 20), "time_to_first_token": (200, 500, 1000),
                              "turn": (2000, 5000, 10000)}.items():  # fmt: skip
            for bucket, count in zip(buckets, (6, 30, 4), strict=True):
                counters[f"{(minute - ago) // 10 * 10}:{kind}:{bucket}"] = 10 * count
    return counters


def counters_after(hours: int) -> dict[str, int]:
    """Return the counters of a partition after some busy hours."""
    replies = sum(200 + round(150 * math.sin(hour / 4)) for hour in range(hours))
    counters = {
        'turns:completed:"default"': replies,
        'turns:failed:"default"': replies // 40,
        "errors:model_timeout": replies // 50,
        "errors:model_error": replies // 40 - replies // 50,
        'tokens:prompt:"default"': 700 * replies,
        'tokens:completion:"default"': 250 * replies,
    }
    counters |= {f"turn:{ms}": replies * share // 10 for ms, share in ((2000, 3), (5000, 7))}
    return counters


def busy_month() -> dict[str, bytes]:
    """Return the copies of these counters at the start of each of the last 40 hours."""
    hour = int(time.time()) // 3600
    return {str(hour - 39 + n): zlib.compress(orjson.dumps(copy_after(n))) for n in range(40)}


def copy_after(hours: int) -> list[list[str | int]]:
    rows: list[list[str | int]] = []
    for name, count in counters_after(hours).items():
        kind, *rest = name.replace('"', "").split(":")
        rows.append([kind, *({"2000": "8", "5000": "9"}.get(part, part) for part in rest), count])
    return rows

"""The colours, the logo and the suggestions of the chat page, from the settings."""

import base64
import hashlib
from functools import cache
from pathlib import Path

from chat.settings import LOGO_TYPES, chat_settings

Color = tuple[float, float, float]

WHITE: Color = (255, 255, 255)
BLACK: Color = (0, 0, 0)
# Backgrounds of links and buttons on the page: the darkest light one, the lightest dark one.
LIGHT: Color = (0xE7, 0xEE, 0xFC)
DARK: Color = (0x25, 0x32, 0x4B)
# Contrast of text that WCAG 2 asks for at level AA.
MIN_CONTRAST = 4.5
# Share of a channel up to which sRGB is linear.
DARK_SHARE = 0.04045
# Share of black or white that is added until the contrast suffices.
STEP = 0.04


@cache
def style() -> str:
    """Return the rules that set the page's colour, or "" without one."""
    if not chat_settings.PAGE_COLOR:
        return ""
    color = parse(chat_settings.PAGE_COLOR)
    light = readable(color, background=LIGHT, toward=BLACK)
    dark = readable(color, background=DARK, toward=WHITE)
    return (
        f":root{{{_variables(light)}}}"
        f"@media(prefers-color-scheme:dark){{:root{{{_variables(dark)}}}}}"
    )


def style_source() -> str:
    """Return the hash of the rules as a source of the Content-Security-Policy."""
    if not style():
        return ""
    digest = hashlib.sha256(style().encode()).digest()
    return f" 'sha256-{base64.b64encode(digest).decode()}'"


def suggestions() -> list[str]:
    """Return the suggestions of a new chat."""
    texts = map(str.strip, chat_settings.PAGE_SUGGESTIONS.split("|"))
    return [text for text in texts if text]


@cache
def logo() -> tuple[bytes, str] | None:
    """Return the logo and its media type, or `None` for the default."""
    if not chat_settings.PAGE_LOGO:
        return None
    path = Path(chat_settings.PAGE_LOGO)
    return path.read_bytes(), LOGO_TYPES[path.suffix.lower()]


def parse(color: str) -> Color:
    """Return a colour in the form #rrggbb as numbers from 0 to 255."""
    red, green, blue = bytes.fromhex(color[1:])
    return (red, green, blue)


def readable(color: Color, *, background: Color, toward: Color) -> Color:
    """Return the colour, mixed with `toward` until text in it is readable."""
    share = 0.0
    mixed = color
    while contrast(mixed, background) < MIN_CONTRAST and share < 1:
        share += STEP
        mixed = mix(color, toward, share)
    return mixed


def mix(one: Color, other: Color, share: float) -> Color:
    red, green, blue = (a + (b - a) * min(share, 1) for a, b in zip(one, other, strict=True))
    return (red, green, blue)


def contrast(one: Color, other: Color) -> float:
    """Return the contrast ratio of WCAG 2, from 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: Color) -> float:
    shares = [channel / 255 for channel in color]
    red, green, blue = (
        share / 12.92 if share <= DARK_SHARE else ((share + 0.055) / 1.055) ** 2.4
        for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _variables(color: Color) -> str:
    text = max(WHITE, BLACK, key=lambda each: contrast(each, color))
    return f"--accent:{_hex(color)};--on-accent:{_hex(text)}"


def _hex(color: Color) -> str:
    return "#" + "".join(f"{round(channel):02x}" for channel in color)

"""The page's colours are readable, whatever colour the operator chooses."""

import re

import pytest
from django.test import override_settings

from chat.pages import branding


@pytest.mark.parametrize("color", ["#2a57c5", "#ffff00", "#000000", "#ffffff", "#ff69b4"])
def test_any_colour_gives_readable_text(color: str) -> None:
    branding.style.cache_clear()
    with override_settings(CHAT_PAGE_COLOR=color):
        colors = [branding.parse(found) for found in re.findall("#[0-9a-f]{6}", branding.style())]
    light, on_light, dark, on_dark = colors
    assert branding.contrast(light, branding.LIGHT) >= branding.MIN_CONTRAST
    assert branding.contrast(dark, branding.DARK) >= branding.MIN_CONTRAST
    assert branding.contrast(light, on_light) >= branding.MIN_CONTRAST
    assert branding.contrast(dark, on_dark) >= branding.MIN_CONTRAST
    branding.style.cache_clear()

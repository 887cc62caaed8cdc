"""The entries for a models file in docs/your-model.md, pointed at imitated servers."""

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from chat.domain import Model
from chat.llm_config import read_models
from project.runner.process import ROOT

PAGE = (ROOT / "docs" / "your-model.md").read_text()

# TOML by the name of its table.
ENTRIES = {
    name: text for text, name in re.findall(r"^```toml\n(\[(\S+)\]\n.*?)^```", PAGE, re.M | re.S)
}
KEY = "a-key"


def documented_model(name: str, server: str, tmp_path: Path) -> Model:
    """Return the model of entry `name`, with `server` instead of the vendor's host."""
    path = tmp_path / f"{name}.toml"
    path.write_text(ENTRIES[name])
    variables = dict.fromkeys(re.findall(r"[A-Z]\w*_API_KEY", ENTRIES[name]), KEY)
    environ = {"CHAT_MODELS_FILE": str(path), "CHAT_DEFAULT_MODEL": name, **variables}
    model = read_models(environ)[name]
    host = urlsplit(server)
    url = urlsplit(model.url)._replace(scheme=host.scheme, netloc=host.netloc)
    return replace(model, url=urlunsplit(url))

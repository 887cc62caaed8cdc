"""The Grafana dashboard and the Prometheus alerts are well-formed."""

import json
import re
from collections import Counter
from collections.abc import Iterator

from checks.files import at, read, read_yaml

DASHBOARD = "deploy/grafana/parley.json"
ALERTS = "deploy/prometheus/alerts.yml"
COLUMNS = 24  # of Grafana's grid


def dashboard() -> Iterator[str]:
    """Panels have their own ids and places, and the dashboard's data source."""
    board = json.loads(read(DASHBOARD))
    for key in {"uid", "title", "schemaVersion", "time"} - board.keys():
        yield f"{at(DASHBOARD)}: {key} is missing"
    ids: Counter[int] = Counter()
    cells: Counter[tuple[int, int]] = Counter()
    for panel in board["panels"]:
        where, grid = at(DASHBOARD, f'"title": "{panel["title"]}"'), panel["gridPos"]
        columns = range(grid["x"], grid["x"] + grid["w"])
        own = [(x, y) for x in columns for y in range(grid["y"], grid["y"] + grid["h"])]
        ids.update([panel["id"]])
        cells.update(own)
        if ids[panel["id"]] > 1:
            yield f"{where}: another panel has the id {panel['id']}"
        if columns.stop > COLUMNS or any(cells[cell] > 1 for cell in own):
            yield f"{where}: the panel overlaps another one or the edge"
        if panel["datasource"]["uid"] != "${datasource}":
            yield f"{where}: use the data source ${{datasource}}"


def alerts() -> Iterator[str]:
    """Alerts have their own names, a severity, a description and a comparison with a number."""
    (group,) = read_yaml(ALERTS)["groups"]
    names = Counter(rule["alert"] for rule in group["rules"])
    for rule in group["rules"]:
        where = f"{at(ALERTS, 'alert: ' + rule['alert'])}: {rule['alert']}"
        if names[rule["alert"]] > 1:
            yield f"{where}: another alert has this name"
        if unknown := rule.keys() - {"alert", "expr", "for", "labels", "annotations"}:
            yield f"{where}: unknown keys {sorted(unknown)}"
        if not re.fullmatch(r"[0-9]+[smh]", rule.get("for", "0s")):
            yield f"{where}: `for` must be a duration such as 5m"
        if rule["labels"]["severity"] not in {"page", "ticket"}:
            yield f"{where}: the severity must be page or ticket"
        if rule["annotations"].keys() != {"summary", "description"}:
            yield f"{where}: write a summary and a description"
        if not re.search(r"(==|>|<) [0-9.]+$", rule["expr"]):
            yield f"{where}: compare the expression with a number"


CHECKS = (dashboard, alerts)

"""What is started on one machine follows from the environment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from project.runner.process import Program
from project.runner.stack import plan
from project.runner.state_dir import Home, noted


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.release()


def names(stages: list[list[Program]]) -> list[list[str]]:
    return [[program.name for program in stage] for stage in stages]


def test_out_of_the_box_everything_is_started(home: Home) -> None:
    stages = plan({}, home=home, port=8000)
    assert names(stages) == [["redis"], ["model", "worker", "web"]]


def test_the_replies_of_its_model_can_be_seen_to_grow(home: Home) -> None:
    _, (model, *_) = plan({}, home=home, port=8000)
    assert float(model.argv[model.argv.index("--rate") + 1]) > 0


def test_a_redis_that_is_named_is_used(home: Home) -> None:
    stages = plan({"REDIS_URL": "redis://elsewhere:6379/2"}, home=home, port=8000)
    assert names(stages) == [["model", "worker", "web"]]
    assert {program.env["REDIS_URL"] for program in stages[0]} == {"redis://elsewhere:6379/2"}


@pytest.mark.parametrize("variable", ["MODEL_URL", "CHAT_MODELS_FILE"])
def test_with_a_model_configured_the_dev_model_stays_out(home: Home, variable: str) -> None:
    assert names(plan({variable: "x"}, home=home, port=8000)) == [["redis"], ["worker", "web"]]


def test_an_empty_variable_means_its_default(home: Home) -> None:
    stages = plan({"REDIS_URL": "", "MODEL_URL": "", "SECRET_KEY": ""}, home=home, port=8000)
    assert names(stages) == [["redis"], ["model", "worker", "web"]]
    assert stages[1][0].env["SECRET_KEY"] == home.secret_key()


def test_all_find_the_same_redis_and_model(home: Home) -> None:
    _, rest = plan({}, home=home, port=8000)
    for variable in ("REDIS_URL", "MODEL_URL", "SECRET_KEY", "PARLEY_HOME"):
        assert len({program.env[variable] for program in rest}) == 1


def test_commands_beside_a_run_find_its_redis_and_model(home: Home) -> None:
    _, (_, worker, _) = plan({}, home=home, port=8000)
    found = noted(home.path)
    models = {"MODEL_PROVIDER", "MODEL_URL", "MODEL_NAME"}
    assert found.keys() == {"REDIS_URL", "SECRET_KEY"} | models
    assert found.items() <= worker.env.items()
    assert {each.stat().st_mode & 0o077 for each in home.path.glob("run.json")} == {0}
    home.release()
    assert noted(home.path) == {}


def test_what_a_killed_run_has_noted_is_not_believed(home: Home) -> None:
    plan({}, home=home, port=8000)
    left = (home.path / "run.json").read_text()
    home.release()
    (home.path / "run.json").write_text(left)
    assert noted(home.path) == {}


def test_a_key_that_was_given_is_not_written_down(home: Home) -> None:
    plan({"SECRET_KEY": "given"}, home=home, port=8000)
    assert "SECRET_KEY" not in noted(home.path)


def test_no_command_line_shows_a_secret(home: Home) -> None:
    stages = plan({"MODEL_TOKEN": "of-the-model"}, home=home, port=8000)
    password = stages[1][0].env["REDIS_URL"].partition("@")[0].rpartition(":")[2]
    secrets = {password, home.secret_key(), "of-the-model"}
    for stage in stages:
        for program in stage:
            assert not any(secret in word for word in program.argv for secret in secrets)
            assert not any(secret in repr(program) for secret in secrets - {password})


def test_redis_is_told_nothing_of_the_environment(home: Home) -> None:
    (redis,), _ = plan({"MODEL_TOKEN": "of-the-model"}, home=home, port=8000)
    assert redis.env == {}

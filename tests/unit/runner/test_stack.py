from collections.abc import Iterator
from pathlib import Path

import pytest

from project.runner.process import Program
from project.runner.stack import plan
from project.runner.state_dir import StateDir, read_run_env


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[StateDir]:
    state_dir = StateDir(tmp_path)
    yield state_dir
    state_dir.release()


def names(stages: list[list[Program]]) -> list[list[str]]:
    return [[program.name for program in stage] for stage in stages]


def test_the_default_starts_everything(state_dir: StateDir) -> None:
    stages = plan({}, state_dir=state_dir, port=8000)
    assert names(stages) == [["redis"], ["model", "worker", "web"]]


def test_the_fake_model_has_a_token_rate(state_dir: StateDir) -> None:
    _, (model, *_) = plan({}, state_dir=state_dir, port=8000)
    assert float(model.argv[model.argv.index("--rate") + 1]) > 0


def test_redis_url_replaces_the_redis_server(state_dir: StateDir) -> None:
    stages = plan({"REDIS_URL": "redis://elsewhere:6379/2"}, state_dir=state_dir, port=8000)
    assert names(stages) == [["model", "worker", "web"]]
    assert {program.env["REDIS_URL"] for program in stages[0]} == {"redis://elsewhere:6379/2"}


@pytest.mark.parametrize("variable", ["MODEL_URL", "CHAT_MODELS_FILE"])
def test_a_configured_model_replaces_the_fake_model(state_dir: StateDir, variable: str) -> None:
    assert names(plan({variable: "x"}, state_dir=state_dir, port=8000)) == [
        ["redis"],
        ["worker", "web"],
    ]


def test_an_empty_variable_means_its_default(state_dir: StateDir) -> None:
    stages = plan(
        {"REDIS_URL": "", "MODEL_URL": "", "SECRET_KEY": ""}, state_dir=state_dir, port=8000
    )
    assert names(stages) == [["redis"], ["model", "worker", "web"]]
    assert stages[1][0].env["SECRET_KEY"] == state_dir.secret_key()


def test_all_programs_share_redis_and_model(state_dir: StateDir) -> None:
    _, rest = plan({}, state_dir=state_dir, port=8000)
    for variable in ("REDIS_URL", "MODEL_URL", "SECRET_KEY", "PARLEY_HOME"):
        assert len({program.env[variable] for program in rest}) == 1


def test_other_commands_find_the_redis_of_a_run(state_dir: StateDir) -> None:
    _, (_, worker, _) = plan({}, state_dir=state_dir, port=8000)
    run_env = read_run_env(state_dir.path)
    models = {"MODEL_PROVIDER", "MODEL_URL", "MODEL_NAME"}
    assert run_env.keys() == {"REDIS_URL", "SECRET_KEY"} | models
    assert run_env.items() <= worker.env.items()
    assert {each.stat().st_mode & 0o077 for each in state_dir.path.glob("run.json")} == {0}
    state_dir.release()
    assert read_run_env(state_dir.path) == {}


def test_the_file_of_a_killed_run_is_ignored(state_dir: StateDir) -> None:
    plan({}, state_dir=state_dir, port=8000)
    content = (state_dir.path / "run.json").read_text()
    state_dir.release()
    (state_dir.path / "run.json").write_text(content)
    assert read_run_env(state_dir.path) == {}


def test_a_given_secret_key_is_not_stored(state_dir: StateDir) -> None:
    plan({"SECRET_KEY": "given"}, state_dir=state_dir, port=8000)
    assert "SECRET_KEY" not in read_run_env(state_dir.path)


def test_no_command_line_shows_a_secret(state_dir: StateDir) -> None:
    stages = plan({"MODEL_TOKEN": "model-token"}, state_dir=state_dir, port=8000)
    password = stages[1][0].env["REDIS_URL"].partition("@")[0].rpartition(":")[2]
    secrets = {password, state_dir.secret_key(), "model-token"}
    for stage in stages:
        for program in stage:
            assert not any(secret in word for word in program.argv for secret in secrets)
            assert not any(secret in repr(program) for secret in secrets - {password})


def test_redis_gets_an_empty_environment(state_dir: StateDir) -> None:
    (redis,), _ = plan({"MODEL_TOKEN": "model-token"}, state_dir=state_dir, port=8000)
    assert redis.env == {}

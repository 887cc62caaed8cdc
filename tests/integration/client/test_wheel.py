"""The Python client builds as a wheel that works without the rest of Parley."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from project.runner.process import ROOT


def test_wheel_of_the_client_is_importable_alone(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(
        [*build, "--directory", str(tmp_path)],
        cwd=ROOT / "parley_client",
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("parley_client-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    own = {f"parley_client/{path.name}" for path in (ROOT / "parley_client").glob("*.py")}
    assert own | {"parley_client/py.typed"} <= names
    program = "import parley_client, sys; print(parley_client.__file__, 'django' in sys.modules)"
    output = subprocess.check_output(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(wheel)},
        text=True,
    )
    assert output == f"{wheel}/parley_client/__init__.py False\n"

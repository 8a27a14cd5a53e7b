"""What the house tests look at: the files of the repository that are there."""

import ast
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "connectors", "engine", "schema", "webhooks")


@dataclass(frozen=True)
class Source:
    """A Python file of ours."""

    path: Path  # relative to the root
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @property
    def package(self) -> str:
        return self.path.parts[0]

    def __str__(self) -> str:
        return str(self.path)


def tracked() -> list[Path]:
    """Every file that git keeps or would keep; without git every file outside the hidden folders."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        found = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
        listed = [str(path) for path in found if not {".venv", ".evenhand", ".git", "__pycache__"} & set(path.parts)]
    return [Path(name) for name in sorted(listed) if (ROOT / name).is_file()]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def files() -> list[Path]:
    return tracked()


@pytest.fixture(scope="session")
def sources(files: list[Path]) -> list[Source]:
    """Python of the five packages and of deploy/."""
    kept = [path for path in files if path.suffix == ".py" and path.parts[0] in (*PACKAGES, "deploy")]
    return [Source(path, (ROOT / path).read_text()) for path in kept]


@pytest.fixture(scope="session")
def all_sources(files: list[Path]) -> list[Source]:
    """The same with the tests."""
    return [Source(path, (ROOT / path).read_text()) for path in files if path.suffix == ".py"]

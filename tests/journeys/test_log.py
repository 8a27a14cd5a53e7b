"""A real incident log in place of the made-up company: the same figures and the same hash, whichever way it came.

The figures are counted here by other code than the product's. The real log is not part of the repository; where it
lies beside it, the figures published with it must be met exactly.
"""

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schema import embedded
from tests.journeys import small_log
from tests.journeys.place import fresh_folder, fresh_place

REAL_LOG = Path(__file__).parents[3] / "shared/data/incident_event_log_part.csv.gz"
REAL_FIGURES = {
    "All records": {"incidents": 8000, "made_sla": 2895, "resolved": 7450, "median_minutes": 4452.0, "reopened": 118,
                    "not_reassigned": 3447},
    "Group 70": {"incidents": 1892, "resolved": 1349, "median_minutes": 348.0, "made_sla_share": 0.5465},
    "Group 25": {"incidents": 460, "resolved": 460, "median_minutes": 8588.0, "made_sla_share": 0.2196},
}  # fmt: skip
whole_log_by_webhook = pytest.mark.skipif(
    not os.environ.get("EVENHAND_TEST_WHOLE_LOG"), reason="takes minutes; wanted with EVENHAND_TEST_WHOLE_LOG=1"
)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    return small_log.write(folder / "log.csv", small_log.rows())


@pytest.fixture(scope="module")
def tell(log: Path) -> Callable[[str], dict[str, Any]]:
    """The summary of a demonstration on the small log, told once for each way in."""
    known: dict[str, dict[str, Any]] = {}

    def told_by(feeds: str) -> dict[str, Any]:
        if feeds not in known:
            with fresh_place() as place:
                known[feeds] = place.demo("--log", str(log), "--feeds", feeds)
                assert feeds != "both" or place.demo("--log", str(log)) == known[feeds], "a second run changes nothing"
        return known[feeds]

    return told_by


def shown(of: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the summary tells of one group, in the words of the published figures."""
    none: dict[str, Any] = {"n": 0, "numerator": 0, "value": "NaN"}
    sla, minutes, reopened, kept = (
        of.get(metric, none)
        for metric in ("made_sla_share", "median_minutes_to_resolve", "reopen_rate", "no_reassignment_share")
    )
    return {
        "incidents": sla["n"],
        "made_sla": sla["numerator"],
        "made_sla_share": round(float(sla["value"]), 4),
        "resolved": minutes["n"],
        "median_minutes": float(minutes["value"]),
        "reopened": reopened["numerator"],
        "not_reassigned": kept["numerator"],
    }


def agree(summary: dict[str, Any], wanted: dict[str, dict[str, Any]]) -> None:
    for group, figures in wanted.items():
        counted = shown(summary["log"][group])
        assert {name: counted[name] for name in figures} == figures, group


@pytest.mark.parametrize("feeds", ["poll", "webhooks", "both"])
def test_a_log_is_counted_right_whichever_way_it_came(tell: Callable[[str], dict[str, Any]], feeds: str) -> None:
    summary = tell(feeds)
    wanted = small_log.figures(small_log.rows())
    assert summary["incidents"] == small_log.INCIDENTS
    assert set(summary["log"]) == set(wanted)
    agree(summary, wanted)
    assert summary["result_hash"] == tell("poll")["result_hash"]
    assert summary["data_issues"] == 0


def test_one_cell_that_counts_changes_the_hash(
    log: Path, tmp_path: Path, tell: Callable[[str], dict[str, Any]]
) -> None:
    """Otherwise equal hashes would prove nothing. The log is packed here, which must not matter."""
    rows = small_log.rows()
    last = next(row for row in reversed(rows) if row["incident_state"] == "Resolved")
    last["made_sla"] = "false" if last["made_sla"] == "true" else "true"
    packed = tmp_path / "log.csv.gz"
    packed.write_bytes(gzip.compress(small_log.write(tmp_path / "log.csv", rows).read_bytes()))
    with fresh_place() as place:
        changed = place.demo("--log", str(packed), "--feeds", "poll")
    assert changed["result_hash"] != tell("poll")["result_hash"]
    agree(changed, {"All records": {"made_sla": small_log.figures(rows)["All records"]["made_sla"]}})


def test_a_database_server_of_ones_own_gives_the_same_result(log: Path, tell: Callable[[str], dict[str, Any]]) -> None:
    folder = fresh_folder("evenhand-external-")
    with embedded.start(folder / "server") as server, fresh_place(EVENHAND_DATABASE_URL=server.url()) as place:
        for _ in range(2):
            migrated = place.evenhand("migrate")
            assert (migrated.returncode, migrated.stdout) == (0, "The database is up to date.\n"), migrated.stderr
        summary = place.demo("--log", str(log), "--feeds", "both")
        assert not (place.home / "pg").exists()
    shutil.rmtree(folder)
    assert summary["result_hash"] == tell("poll")["result_hash"]


@pytest.mark.skipif(not REAL_LOG.is_file(), reason=f"{REAL_LOG.name} does not lie beside the repository")
@pytest.mark.parametrize(
    "feeds",
    ["poll", pytest.param("webhooks", marks=whole_log_by_webhook), pytest.param("both", marks=whole_log_by_webhook)],
)
def test_the_published_figures_of_the_real_log_are_met(feeds: str) -> None:
    with fresh_place() as place:
        summary = place.demo("--log", str(REAL_LOG), "--feeds", feeds)
        assert summary["incidents"] == 8000
        agree(summary, REAL_FIGURES)


def test_a_file_that_is_no_log_is_refused_with_row_and_column(tmp_path: Path) -> None:
    rows = small_log.rows()
    rows[4]["opened_at"] = "2016-03-01"
    path = small_log.write(tmp_path / "log.csv", rows)
    with fresh_place() as place:
        done = place.evenhand("demo", "--once", "--log", str(path))
    assert done.returncode == 2
    assert "Row 6, column opened_at: '2016-03-01' is not understood" in done.stderr
    assert "Traceback" not in done.stderr

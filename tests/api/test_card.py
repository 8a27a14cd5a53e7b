"""The card: a picture that is well-formed, says in words what it shows, and never draws what is not known."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.embed.card import FULL, TRACK, Card, Line, draw, grade, measured, percent, said
from api.embed.scores import fragment, label, threshold
from engine.words import KpiStatus, ScoreStatus

SVG = "{http://www.w3.org/2000/svg}"
LINE = Line(
    "Speed", Decimal("93.4"), "minutes", Decimal(60), Decimal("0.6424"), Decimal("0.31"), Decimal("0.2"), KpiStatus.OK
)
CARD = Card(
    "Team Mail", "2026", Decimal("0.9337"), ScoreStatus.FINAL, [LINE], datetime(2026, 11, 21, 9, tzinfo=UTC), "ab" * 32
)


def parts(svg: str, name: str) -> list[ET.Element]:
    return [each for each in ET.fromstring(svg).iter() if name in each.get("class", "").split()]  # noqa: S314 - our own


def test_bars_are_as_long_as_the_attainment() -> None:
    for attainment, share in (
        (Decimal("0.75"), 0.5),
        (Decimal("1.5"), 1),
        (Decimal(3), 1),
        (Decimal(0), 0),
        (Decimal(-1), 0),
    ):
        (bar,) = parts(draw(replace(CARD, lines=[replace(LINE, attainment=attainment)])), "bar")
        assert float(bar.get("width", "")) == pytest.approx(TRACK * share, abs=0.1)
    (target,) = parts(draw(CARD), "target")
    assert float(target.get("x1", "")) == pytest.approx(24 + TRACK / float(FULL))


def test_missing_data_is_a_gap_and_never_a_bar() -> None:
    for line in (replace(LINE, status=KpiStatus.NO_DATA), replace(LINE, attainment=None)):
        svg = draw(replace(CARD, lines=[line]))
        assert parts(svg, "bar") == []
        assert len(parts(svg, "missing")) == 1
    assert said(replace(LINE, value=None)) == "no data"
    assert percent(None) == "no data"
    assert parts(draw(CARD), "missing") == []


def test_colour_is_never_the_only_sign() -> None:
    assert [grade(Decimal(pays)) for pays in ("0", "0.31", "1", "1.5")] == ["low", "fair", "good", "good"]
    assert said(LINE) == "93.4 min, target 60.0 min, pays 31 %"
    assert said(replace(LINE, status=KpiStatus.LOW_N)).endswith("few records")


def test_the_picture_is_described_and_its_numbers_stand_in_a_table() -> None:
    html = fragment(CARD)
    root = ET.fromstring(draw(CARD))  # noqa: S314
    assert root.find(f"{SVG}title") is not None
    described = root.find(f"{SVG}desc")
    assert described is not None
    for number in ("93 %", "93.4 min", "60.0 min", "31 %"):
        assert number in str(described.text)
        assert number in html.split("<table>")[1]
    assert root.get("role") == "img"


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_any_text_stays_text(title: str, cycle: str, name: str) -> None:
    """Whatever a service is called, it adds no element, no attribute and no style."""
    clean = [
        each.translate(dict.fromkeys([*range(9), 11, 12, *range(14, 32), 65534, 65535]))
        for each in (title, cycle, name)
    ]
    card = replace(CARD, title=clean[0], cycle=clean[1], lines=[replace(LINE, label=clean[2])])
    mine, plain = ET.fromstring(draw(card)), ET.fromstring(draw(CARD))  # noqa: S314
    assert [each.tag for each in mine.iter()] == [each.tag for each in plain.iter()]
    assert all("style" not in each.attrib for each in mine.iter())


def test_hostile_names_are_escaped() -> None:
    hostile = '"><script>alert(1)</script>'
    html = fragment(replace(CARD, title=hostile, cycle=hostile, lines=[replace(LINE, label=hostile)]))
    assert "<script" not in html
    assert "style=" not in html


def test_the_threshold_is_where_the_curve_begins() -> None:
    curve = {"kind": "CURVE", "params": {"points": "31/50 1/2 1 1"}, "because": []}
    trace = {"kind": "COMPOSITE", "params": {}, "because": [{"kind": "TERM", "params": {}, "because": []}, curve]}
    assert threshold(trace) == Decimal("0.62")
    assert threshold(curve | {"kind": "TERM"}) is None
    drawn = parts(draw(replace(CARD, lines=[replace(LINE, threshold=Decimal("0.62"))])), "threshold")
    assert len(drawn) == 1
    assert parts(draw(CARD), "threshold") == []


def test_numbers_and_names_are_readable() -> None:
    assert measured(Decimal("0.9627"), "share") == "96.3 %"
    assert measured(Decimal("1234.56"), "minutes") == "1,234.6 min"
    assert [label(key) for key in ("sla_attainment", "cab-discipline", "speed")] == [
        "SLA attainment", "CAB discipline", "Speed",
    ]  # fmt: skip

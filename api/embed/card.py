"""The score card as a picture: data in, SVG text out, nothing else.

Decides: the drawing. A bar shows attainment from 0 to 150 %; the tall mark is the target (100 %), the small one where
payment begins. Missing data is a dashed track with words, never a bar of length 0. Colours are presentation attributes
that a style sheet may replace by class (light and dark); there is no style attribute, so a strict policy lets it
through. All texts are escaped. Lengths are user units of a picture that is 480 wide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from html import escape

from engine.words import KpiStatus, ScoreStatus

WIDTH = 480
LEFT = 24
TRACK = WIDTH - 2 * LEFT
HEAD = 112
ROW = 58
FOOT = 40
FULL = Decimal("1.5")
FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
STATUS_WORDS = {
    ScoreStatus.PRELIMINARY: "preliminary",
    ScoreStatus.FINAL: "final",
    ScoreStatus.NO_DATA: "no data",
}
FILLS = {"good": "#0f7b5f", "fair": "#b7791f", "low": "#b3382c"}


@dataclass(frozen=True, slots=True)
class Line:
    """One component. Shares are 1 for 100 %; None is unknown. `threshold` is the attainment where payment begins."""

    label: str
    value: Decimal | None
    unit: str
    target: Decimal | None
    attainment: Decimal | None
    pays: Decimal | None
    weight: Decimal | None
    status: KpiStatus
    threshold: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Card:
    title: str
    cycle: str
    score: Decimal | None
    status: ScoreStatus
    lines: Sequence[Line]
    as_of: datetime
    result_hash: str


def draw(card: Card) -> str:
    """The card as SVG."""
    height = HEAD + ROW * len(card.lines) + FOOT
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="score-card" viewBox="0 0 {WIDTH} {height}" role="img"'
            f' aria-labelledby="card-title card-desc" font-family="{escape(FONT)}">',
            f'<title id="card-title">{escape(card.title)}: {escape(percent(card.score))}</title>',
            f'<desc id="card-desc">{escape(described(card))}</desc>',
            f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="14" fill="#ffffff"'
            ' stroke="#d9dee5"/>',
            *_head(card),
            *(part for at, line in enumerate(card.lines) for part in _row(line, HEAD + ROW * at)),
            *_foot(card, height),
            "</svg>",
        ]
    )


def described(card: Card) -> str:
    """The picture in words."""
    lines = [f"{line.label}: {said(line)}" for line in card.lines]
    return f"Score {percent(card.score)}, {STATUS_WORDS[card.status]}, cycle {card.cycle}. " + ". ".join(lines) + "."


def said(line: Line) -> str:
    """What a line says beside its bar; the colour says nothing that is not said here too."""
    if line.status is KpiStatus.NO_DATA or line.value is None:
        return "no data"
    low = ", few records" if line.status is KpiStatus.LOW_N else ""
    target = "" if line.target is None else f", target {measured(line.target, line.unit)}"
    pays = "" if line.pays is None else f", pays {percent(line.pays)}"
    return f"{measured(line.value, line.unit)}{target}{pays}{low}"


def measured(value: Decimal, unit: str) -> str:
    if unit == "share":
        return percent(value, 1)
    return f"{plain(value, 1)} {'min' if unit == 'minutes' else unit}"


def percent(value: Decimal | None, places: int = 0) -> str:
    return "no data" if value is None else f"{plain(value * 100, places)} %"


def plain(value: Decimal, places: int) -> str:
    step = Decimal(1).scaleb(-places)
    return f"{value.quantize(step, ROUND_HALF_UP):,f}"


def text(
    x: float, y: float, name: str, size: int, fill: str, content: str, *, end: bool = False, bold: bool = False
) -> str:
    anchor = ' text-anchor="end"' if end else ""
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}"'
    return f'<text class="{name}" {place}{anchor}{weight}>{escape(content)}</text>'


def _head(card: Card) -> list[str]:
    right = WIDTH - LEFT
    word = STATUS_WORDS[card.status]
    pill = 14 + 7 * len(word)
    return [
        text(LEFT, 42, "title", 19, "#17202b", shortened(card.title, 30), bold=True),
        text(LEFT, 64, "muted", 13, "#5b6675", f"Cycle {shortened(card.cycle, 40)}"),
        text(right, 48, "number", 34, "#17202b", percent(card.score), end=True, bold=True),
        f'<rect class="pill" x="{right - pill}" y="58" width="{pill}" height="20" rx="10" fill="#eef1f5"/>',
        f'<text class="pill-word" x="{right - pill / 2:g}" y="72" font-size="12" fill="#3a4553"'
        f' text-anchor="middle">{escape(word)}</text>',
        f'<line class="rule" x1="{LEFT}" y1="92" x2="{right}" y2="92" stroke="#e6eaef"/>',
    ]


def _row(line: Line, top: int) -> list[str]:
    right, bar = WIDTH - LEFT, top + 26
    target_x = LEFT + TRACK / float(FULL)
    parts = [
        text(LEFT, top + 14, "label", 14, "#17202b", shortened(line.label, 26), bold=True),
        text(right, top + 14, "said", 12, "#5b6675", said(line), end=True),
    ]
    if line.attainment is None or line.status is KpiStatus.NO_DATA:
        dashes = 'stroke-dasharray="5 5" stroke="#b9c1cc"'
        return [*parts, f'<line class="missing" x1="{LEFT}" y1="{bar + 5}" x2="{right}" y2="{bar + 5}" {dashes}/>']
    kind = grade(line.pays)
    length = TRACK * float(min(max(line.attainment, Decimal(0)), FULL) / FULL)
    parts += [
        f'<rect class="track" x="{LEFT}" y="{bar}" width="{TRACK}" height="10" rx="5" fill="#edf0f4"/>',
        f'<rect class="bar {kind}" x="{LEFT}" y="{bar}" width="{length:.1f}" height="10" rx="5" fill="{FILLS[kind]}"/>',
        f'<line class="target" x1="{target_x:g}" y1="{bar - 4}" x2="{target_x:g}" y2="{bar + 14}" stroke="#17202b"'
        ' stroke-width="2"/>',
    ]
    if line.threshold is not None and 0 < line.threshold < FULL:
        x = LEFT + TRACK * float(line.threshold / FULL)
        shape = f"{x - 4:.1f},{bar + 17} {x + 4:.1f},{bar + 17} {x:.1f},{bar + 11}"
        parts.append(f'<polygon class="threshold" points="{shape}" fill="#5b6675"/>')
    return parts


def _foot(card: Card, height: int) -> list[str]:
    source = f"As of {card.as_of:%Y-%m-%d %H:%M} UTC, result {card.result_hash[:12]}"
    return [text(LEFT, height - 18, "muted", 11, "#5b6675", source)]


def grade(pays: Decimal | None) -> str:
    """Pays in full, in part, or nothing."""
    if pays is None or pays <= 0:
        return "low"
    return "good" if pays >= 1 else "fair"


def shortened(content: str, most: int) -> str:
    return content if len(content) <= most else content[: most - 1].rstrip() + "…"

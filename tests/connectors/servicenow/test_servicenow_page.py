"""The page for administrators names every table and column that is read: what it leaves out nobody would grant."""

import re
from pathlib import Path

import pytest

from connectors.servicenow.contract import VERSION_COLUMNS, standard

PAGE = (Path(__file__).parents[3] / "docs/servicenow.md").read_text()
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("entity", list(standard()))
def test_a_table_of_the_contract_has_its_row(entity: str) -> None:
    shape = standard()[entity]
    rows = [cells for cells in ROWS if f"`{entity}`" in cells[0]]
    assert len(rows) == 1
    assert ("*" in rows[0][0]) == shape.absent_ok
    if "see the contract" in rows[0][1]:
        assert shape.absent_ok
        return
    named = {name.rpartition(".")[2] for name in re.findall(r"`([a-z_.]+)`", rows[0][1])}
    asked = {column.rpartition(".")[2] for column in shape.asked if column not in VERSION_COLUMNS}
    assert named - {"instance", "value", *VERSION_COLUMNS} == asked - {"instance"}

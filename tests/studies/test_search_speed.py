"""`eznas speed --search`, as small as it goes: its rows, and the tables that show them."""

import pytest

from eznas.evolution import moves
from eznas.report.study_page import study_page
from eznas.report.tables import search_speed_table
from eznas.studies.search_speed import NODES, search_speed


def test_every_way_of_a_search_is_timed(monkeypatch, tmp_path):
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path))
    monkeypatch.setattr(moves, "OFFERED", 20)
    counts = []
    values_of = moves.Moves._values_of

    def counted(self, offered):
        counts.append(len(offered))
        return values_of(self, offered)

    monkeypatch.setattr(moves.Moves, "_values_of", counted)
    rows = search_speed(20, formulas=5)
    assert [row["way"] for row in rows] == ["offered", "fitted", "ranked"]
    offered, fitted, ranked = rows
    assert all(row["per_second"] > 0 for row in rows)
    assert fitted["formulas"] == ranked["formulas"] == 5
    assert offered["formulas"] == sum(counts) > 5 * 20
    assert 0 < offered["nodes"] <= NODES
    assert (offered["networks"], offered["datasets"]) == (20, 3)
    content = {"command": "eznas speed --search 20", "search_speed": rows}
    assert search_speed_table(content).row_count == 3
    page = study_page("search", {"search": content})
    assert "| `offered` |" in page
    assert "on 20 networks and 3 data sets" in page


def test_too_few_networks_are_refused():
    with pytest.raises(ValueError, match="networks"):
        search_speed(2)

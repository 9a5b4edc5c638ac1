"""The words of formulas, as people look them up."""

import pytest

from eznas.errors import InputError
from eznas.formulas.vocabulary import words
from eznas.primitives import PRIMITIVES
from eznas.statistics.catalogue import CATALOGUE


def test_every_word_is_listed_with_its_type_and_meaning():
    rows = words()
    assert [row["word"] for row in rows] == [*CATALOGUE, *PRIMITIVES]
    assert all(all(row.values()) for row in rows)


def test_words_are_found_by_name_and_by_meaning():
    assert {"eigenvalues", "fisher_deciles"} <= {row["word"] for row in words("EIGEN")}
    [row] = words("eigenvalues of the symmetric")
    assert (row["kind"], row["type"]) == ("primitive", "samples|matrix -> vector")


def test_a_text_that_no_word_has():
    with pytest.raises(InputError, match="no statistic or primitive with 'quark'"):
        words("quark")

"""Random architectures and mutants, of a full table, of a partial one, and of a whole space."""

from collections import Counter

import numpy as np

from tests.search.made_up import ALL, PARTIAL, SPACE, candidates


def test_draws_are_uniform_and_without_those_taken():
    generator, taken = np.random.default_rng(0), set(ALL[:75])
    counts = Counter(a for _ in range(600) for a in candidates().draw(1, generator, taken))
    assert set(counts) == set(ALL[75:])
    assert all(70 <= count <= 130 for count in counts.values())


def test_a_draw_gives_what_there_is():
    generator = np.random.default_rng(0)
    assert sorted(candidates().draw(100, generator)) == sorted(ALL)
    assert candidates().draw(3, generator, ALL) == []
    assert sorted(candidates(None).draw(81, generator)) == sorted(ALL)


def test_a_mutant_differs_in_one_choice_each_as_likely():
    generator = np.random.default_rng(0)
    for listed in (ALL, None):
        counts = Counter(candidates(listed).mutant("1-1-1-1", generator) for _ in range(800))
        assert set(counts) == set(SPACE.neighbours("1-1-1-1"))
        assert all(60 <= count <= 140 for count in counts.values())


def test_where_no_neighbour_is_in_the_table_the_nearest_stand_in():
    few = candidates(("1-1-1-1", "1-1-2-2", "4-1-1-2", "4-4-4-4"))
    generator = np.random.default_rng(0)
    mutants = {few.mutant("1-1-1-1", generator) for _ in range(50)}
    assert mutants == {"1-1-2-2", "4-1-1-2"}
    assert few.mutant("1-1-1-1", generator, mutants) == "4-4-4-4"
    assert few.mutant("1-1-1-1", generator, {*mutants, "4-4-4-4"}) is None


def test_the_parent_itself_is_no_mutant():
    generator = np.random.default_rng(0)
    assert candidates(("1-1-1-1",)).mutant("1-1-1-1", generator) is None


def test_only_what_would_be_queried_is_asked_about():
    asked = []

    def allows(architecture):
        asked.append(architecture)
        return True

    few = candidates(PARTIAL, allows=allows)
    drawn = few.draw(2, np.random.default_rng(0))
    assert asked == drawn

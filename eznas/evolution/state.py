"""The state of a search between two generations, as plain data.

With it, the configuration and the accuracies, a search goes on as if it had never stopped.
"""

import hashlib
import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from eznas.evaluation.status import FEATURE_REASONS
from eznas.evolution.fitness import FitnessResult

MERSENNE_WORDS = 625  # of the Mersenne twister; the last is its position


class SavedFormula(BaseModel):
    """A formula of the population or of the archive, with its result on the present sample."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    formula: str
    origin: str
    generation: int = Field(ge=0)
    taus: tuple[float | None, ...]
    fitness: FiniteFloat
    reason: str
    coverage: FiniteFloat

    @staticmethod
    def of(formula: str, origin: str, generation: int, result: FitnessResult) -> "SavedFormula":
        """A formula with its result; an undefined tau becomes None."""
        return SavedFormula(
            formula=formula,
            origin=origin,
            generation=generation,
            taus=tuple(tau if math.isfinite(tau) else None for tau in result.taus),
            fitness=result.fitness,
            reason=result.reason,
            coverage=result.coverage,
        )

    def result(self) -> FitnessResult:
        """The result that was saved; a tau that is None becomes NaN."""
        taus = tuple(math.nan if tau is None else tau for tau in self.taus)
        return FitnessResult(taus, self.fitness, self.reason, self.coverage)


class State(BaseModel):
    """Everything that a search holds between two generations.

    `random`: the state of Python's random generator; `seen`: digests of all formulas evaluated on
    the present sample; `features`: every feature that is filled, and for how many networks;
    `unusable`: features that cannot be evaluated, and why.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    generation: int = Field(ge=0)
    evaluations: int = Field(ge=0)
    networks: int = Field(ge=0)
    stale: int = Field(ge=0)
    random: tuple[
        Literal[3],
        Annotated[
            tuple[Annotated[int, Field(ge=0, lt=2**32)], ...],
            Field(min_length=MERSENNE_WORDS, max_length=MERSENNE_WORDS),
        ],
        float | None,
    ]
    population: tuple[SavedFormula, ...]
    archive: Annotated[tuple[SavedFormula, ...], Field(min_length=1)]
    seen: tuple[str, ...]
    features: dict[str, int]
    unusable: dict[str, Annotated[str, Field(pattern=f"^({'|'.join(FEATURE_REASONS)})$")]]


def short_digest(text: str) -> str:
    """16 hexadecimal digits that tell a canonical text from a million others."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

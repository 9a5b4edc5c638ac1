"""The state of a search between two generations, as plain data.

With it, the configuration and the ground truth, a search goes on as if it had never stopped.
"""

import hashlib
import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from eznas.evaluation.status import OF_FORMULAS
from eznas.evolution.fitness import FitnessResult

MERSENNE_WORDS = 625  # of the Mersenne twister, its position the last of them


class SavedFormula(BaseModel):
    """An individual or an entry of the archive, and how it is judged on the present sample."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    formula: str
    origin: str
    generation: int = Field(ge=0)
    taus: tuple[float | None, ...]
    fitness: FiniteFloat
    reason: str
    coverage: FiniteFloat

    @staticmethod
    def of(formula: str, origin: str, generation: int, judged: FitnessResult) -> "SavedFormula":
        """A formula with what was found; a tau that is undefined becomes None."""
        taus = tuple(t if math.isfinite(t) else None for t in judged.taus)
        return SavedFormula(
            formula=formula,
            origin=origin,
            generation=generation,
            taus=taus,
            fitness=judged.fitness,
            reason=judged.reason,
            coverage=judged.coverage,
        )

    def judgement(self) -> FitnessResult:
        """What was found."""
        taus = tuple(math.nan if t is None else t for t in self.taus)
        return FitnessResult(taus, self.fitness, self.reason, self.coverage)


class State(BaseModel):
    """Everything that a search holds between two generations.

    `met`: digests of all formulas that were judged on the present sample; `measures`: each measure
    with the number of networks it is there for; `refused`: those that cannot be evaluated, and
    why; `random`: Python's state.
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
    met: tuple[str, ...]
    measures: dict[str, int]
    refused: dict[str, Annotated[str, Field(pattern=f"^({'|'.join(OF_FORMULAS)})$")]]


def short_digest(text: str) -> str:
    """What stands for a canonical text among a million others."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

"""Sections of a run's configuration that have no room of their own: evidence, and own models."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from eznas.errors import InputError

FEWEST_TESTED = 8  # networks: correlations on fewer say nothing


class EvidenceConfig(BaseModel):
    """On what the champion is tested in the end; none of it takes part in the search."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    networks: int = Field(
        500,
        ge=0,
        description=f"Held-out networks of each space, at least {FEWEST_TESTED}; 0: no test.",
    )
    replicates: int = Field(1000, ge=10, description="Bootstrap replicates behind an interval.")
    hold_out: tuple[str, ...] = Field(
        (), description="Spaces that the search never sees: SPACE or SPACE/DATASET."
    )

    @field_validator("networks")
    @classmethod
    def _none_or_enough(cls, networks: int) -> int:
        if 0 < networks < FEWEST_TESTED:
            raise InputError(
                f"configuration key 'evidence.networks': expected 0 (the run ends without a test) "
                f"or at least {FEWEST_TESTED}, got {networks}"
            )
        return networks


class ModelsConfig(BaseModel):
    """A user's own models and accuracies, on which formulas are evolved in place of tasks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str | None = Field(
        None, description="Models and accuracies of your own, in place of tasks: see own-models."
    )
    input: tuple[str, ...] = Field(
        (), description="What goes into these models, once for each argument: 1,8,8."
    )
    init: Literal["keep", "kaiming"] | None = Field(
        None, description="Their parameters: keep or kaiming (none: as `eznas score` has it)."
    )

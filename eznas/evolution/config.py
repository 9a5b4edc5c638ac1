"""The settings of an evolution, each with its default."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eznas.errors import InputError
from eznas.formulas.expression import Expression
from eznas.primitives import PRIMITIVES

Share = Annotated[float, Field(ge=0, le=1)]

# Sketches and structure only: matrices that a layer's tensors are condensed to cost kilobytes per
# network and are known to carry the signal, paths cost nothing. Raw tensors cost megabytes per
# network; they are measured only if a seed names them.
DEFAULT_STATISTICS = (
    "noise_conv_output_covariance",
    "noise_conv_input_gram",
    "noise_conv_output_gram",
    "data_relu_agreement",
    "data_jacobian",
    "layer_params",
    "layer_flops",
    "layer_kernel",
    "layer_channels",
    "layer_area",
    "params",
    "operations",
    "paths_count",
    *(
        f"paths_{quantity}_{over}"
        for quantity in ("convs", "pools", "field", "params", "length")
        for over in ("mean", "std", "min", "max", "soft")
    ),
)
DEFAULT_PRIMITIVES = tuple(name for name in PRIMITIVES if name != "zeros")  # which says nothing
Complexity = Annotated[int, Field(ge=1, le=100)]


class EvolutionConfig(BaseModel):
    """How formulas are evolved.

    Raises `InputError` if the sample would shrink.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(1, ge=0, lt=2**32, description="Seed of the search.")
    statistics: tuple[str, ...] = Field(
        DEFAULT_STATISTICS,
        min_length=1,
        description="What formulas may name, besides what seeds name.",
    )
    primitives: tuple[str, ...] = Field(
        DEFAULT_PRIMITIVES,
        min_length=1,
        description="What formulas may compute with, besides what seeds do.",
    )
    seed_formulas: tuple[str, ...] = Field(
        ("hybrid", "logsynflow", "naswot", "live_params", "depth", "jacob_cov_x_params"),
        description="Proxies that generation 0 begins with: names, files, runs or formulas.",
    )
    generations: int = Field(40, ge=0, description="The last generation; the first is 0.")
    population: int = Field(150, ge=8, description="Formulas that survive a generation.")
    offspring: int = Field(160, ge=1, description="New formulas in a generation.")
    first_networks: int = Field(
        400, ge=8, description="Networks of the sample in the first third of the generations."
    )
    networks: int = Field(
        800,
        ge=8,
        description="Networks of the sample afterwards (one step: all workers share it); of "
        "several spaces, one that has fewer gives all.",
    )
    champion_networks: int = Field(
        100, ge=0, description="Networks beyond the sample that help to choose the champion."
    )
    crossover: Share = Field(0.4, description="Share of children that have two parents.")
    stepwise: Share = Field(
        0.3,
        description="Without `fit`: share of the other children that get their next term and all "
        "constants by least squares.",
    )
    fit: bool = Field(
        True,
        description="Weigh the terms of every formula by ridge regression, and rate it by how well "
        "weights fitted to other networks predict accuracies; without, by tau as it is.",
    )
    alike: bool = Field(
        False,
        description="Rate every space by the share of what randomised trees reach there, in "
        "cross-validation over the short features, and let it weigh as much as any other.",
    )
    boost: bool = Field(
        False,
        description="Begin with formulas for networks of any kind: a feature that ranks all "
        "spaces, and bounded corrections in small steps.",
    )
    exchange: Share = Field(
        0.3,
        description="With `fit`, and in place of stepwise: share of the other children that "
        "exchange terms for the best of many random ones.",
    )
    interactions: bool = Field(
        True,
        description="With `fit`: random terms may combine two features, centred and scaled, or "
        "bend one; without, each is a feature.",
    )
    refine: bool = Field(
        True, description="Refine the weights of the champion on pairs of networks in the end."
    )
    new_features: bool = Field(
        False,
        description="Whether formulas may have features beyond the listed short ones and those of "
        "the seeds: the networks are measured again for each.",
    )
    anywhere: bool = Field(
        False,
        description="Have only features that are known to be defined on networks of every space "
        "and kind, and so no new ones.",
    )
    price: float = Field(
        5e-5,
        ge=0,
        description="With `fit`: share of the variance that a node must explain to be added.",
    )
    tournament: int = Field(4, ge=1, description="Entrants of a tournament.")
    parsimony: float = Field(
        1.3,
        ge=1,
        le=2,
        description="Of two winners the smaller one is chosen with half this probability.",
    )
    elite: Share = Field(0.1, description="Share of the population that survives by fitness alone.")
    fresh: Share = Field(0.05, description="Share of random formulas among the offspring.")
    fresh_blood_after: int = Field(
        4, ge=1, description="Generations without progress after which many more are random."
    )
    tuned: int = Field(
        2,
        ge=0,
        description="Best formulas whose constants are searched locally, per generation; none with "
        "`fit`.",
    )
    greedy_terms: int = Field(
        4,
        ge=0,
        description="Greedy formulas of up to so many terms join generation 0 (longer ones fill it "
        "with one idea).",
    )
    selection: Literal["tournament", "lexicase"] = Field(
        "tournament", description="By fitness and size, or task by task."
    )
    complexity: dict[str, Complexity] = Field(
        {},
        description="What a primitive or a statistic counts in the size of a formula, in place of "
        "1, by its name.",
    )
    max_nodes: int = Field(300, ge=3, le=400, description="Size of the largest formula.")
    max_depth: int = Field(
        60,
        ge=2,
        le=100,
        description="Depth of the deepest formula; a leaf has 0, and a sum of n nests n deep.",
    )

    max_terms: int | None = Field(None, ge=1, description="Terms that a formula adds up at most.")
    max_constants: int | None = Field(None, ge=0, description="Constants of a formula at most.")

    @model_validator(mode="before")
    @classmethod
    def _begin_with_as_many_at_most(cls, settings: Any) -> Any:
        """The sample of the first generations is no larger than the later one, unless it is set."""
        if isinstance(settings, Mapping) and isinstance(most := settings.get("networks"), int):
            first = cls.model_fields["first_networks"].default
            return {"first_networks": min(first, max(most, 8)), **settings}
        return settings

    @model_validator(mode="after")
    def _check_sample_does_not_shrink(self) -> "EvolutionConfig":
        if self.first_networks > self.networks:
            raise InputError(
                "configuration key 'evolution.first_networks': expected at most networks = "
                f"{self.networks}, got {self.first_networks}"
            )
        return self

    @property
    def features_are_listed(self) -> bool:
        """Whether formulas have no features beyond the listed short ones and those of the seeds."""
        return self.anywhere or not self.new_features

    def size_of(self, formula: Expression) -> int:
        """The size of a formula: its nodes, each counted by its `complexity`."""
        if not self.complexity:
            return formula.size
        return sum(self.complexity.get(node.name, 1) for node in formula.walk())

    def sample_size(self, generation: int) -> int:
        """How many networks the formulas of a generation are compared on."""
        return self.networks if 3 * generation > self.generations else self.first_networks

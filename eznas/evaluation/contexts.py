"""Measurement contexts: a space, and how its networks are measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from eznas.benchmarks import Benchmark
from eznas.spaces import Space
from eznas.statistics.config import MeasurementConfig, MeasurementSettings


@dataclass(frozen=True)
class Context:
    """A space and the measurement config under which its networks are measured.

    The space itself, not its name: one that a user has added is known in this process alone.
    `presented`: architecture -> its own config, where a space has networks that are measured
    differently.
    """

    space: Space
    measurement: MeasurementConfig
    architectures: tuple[str, ...] = ()
    presented: Mapping[str, MeasurementConfig] = field(default_factory=dict)

    def measurement_of(self, architecture: str) -> MeasurementConfig:
        """How one network is measured."""
        return self.presented.get(architecture, self.measurement)

    def measurements(self) -> list[MeasurementConfig]:
        """The distinct configs of its networks, that of the context first."""
        configs = [self.measurement, *self.presented.values()]
        return list({(id(c.images), c.initialisation): c for c in configs}.values())


def contexts_of(benchmark: Benchmark, settings: MeasurementSettings) -> tuple[Context, ...]:
    """One context for each input format (size, classes) of a benchmark's data sets, in their order.

    All see the same batch of images, drawn at the largest of the data sets' native sizes and
    averaged over areas for smaller ones; a user's own models see inputs of their own form. Raises
    `InputError` for images that cannot be read or a device that is not there.
    """
    space, architectures = benchmark.search_space, benchmark.architectures
    if space.presented:
        return (_own_context(space, architectures, settings),)
    formats = benchmark.input_formats()
    # Sizes that a user adds to a data set's native one (DATASET@SIZE) change no other's images.
    native = [d.input_size for name, d in benchmark.datasets.items() if "@" not in name]
    configs = settings.on(formats, max(native or [d.input_size for d in formats]))
    return tuple(Context(space, config, architectures) for config in configs)


def _own_context(
    space: Space, architectures: tuple[str, ...], settings: MeasurementSettings
) -> Context:
    """The context of networks that are presented each in its own way: inputs of one form are the
    same for all that take them."""
    of_form: dict[str, MeasurementConfig] = {}
    presented = {}
    for architecture in architectures:
        how = space.presented[architecture]
        form = repr(how.input_size)
        if form not in of_form:
            of_form[form] = settings.with_inputs(how.input_size)
        presented[architecture] = replace(of_form[form], initialisation=how.initialisation)
    return Context(space, presented[architectures[0]], architectures, presented)

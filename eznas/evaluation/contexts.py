"""Measurement contexts: a space, and how its networks are measured."""

from dataclasses import dataclass

from eznas.benchmarks import Benchmark
from eznas.spaces import SPACES, Space
from eznas.statistics.config import MeasurementConfig, MeasurementSettings


@dataclass(frozen=True)
class Context:
    """A space and the measurement config under which its networks are measured.

    The space itself, not its name: one that a user has added is known in this process alone.
    """

    space: Space
    measurement: MeasurementConfig
    architectures: tuple[str, ...] = ()


def contexts_of(benchmark: Benchmark, settings: MeasurementSettings) -> tuple[Context, ...]:
    """One context for each input format (size, classes) of a benchmark's data sets, in their order.

    All see the same batch of images, drawn at the largest of the data sets' native sizes and
    averaged over areas for smaller ones. Raises `InputError` for images that cannot be read or a
    device that is not there.
    """
    formats = benchmark.input_formats()
    # Sizes that a user adds to a data set's native one (DATASET@SIZE) change no other's images.
    native = [d.input_size for name, d in benchmark.datasets.items() if "@" not in name]
    configs = settings.on(formats, max(native or [d.input_size for d in formats]))
    space, architectures = SPACES[benchmark.space], benchmark.architectures
    return tuple(Context(space, config, architectures) for config in configs)

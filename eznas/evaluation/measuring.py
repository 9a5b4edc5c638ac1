"""Measuring the networks of a shard: from architectures to a bank."""

from collections.abc import Collection, Sequence

from eznas.errors import InputError
from eznas.evaluation.bank import Bank, stack
from eznas.evaluation.contexts import Context
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.measuring import MeasuredNetwork, measure, unmeasured
from eznas.statistics.statistic import Statistic
from eznas.statistics.surroundings import seeded
from eznas.system.machine import trim

Architectures = Sequence[str | None]  # of a shard; None for a network that is to be left out


def measured_bank(
    context: Context, architectures: Architectures, names: Collection[str], lenient: bool
) -> tuple[Bank, frozenset[int]]:
    """A bank of the named statistics of some networks, and the indices of those that are left out
    or cannot be measured.

    Raises `InputError` if a network cannot be measured and `lenient` is False.
    """
    rows = [CATALOGUE[name] for name in CATALOGUE if name in names]
    networks: list[MeasuredNetwork] = []
    failed = set[int]()
    for index, architecture in enumerate(architectures):
        network = None
        try:
            if architecture is not None:
                network = _measured_network(context, architecture, rows)
        except InputError:
            if not lenient:
                raise
        if network is None:
            failed.add(index)
        networks.append(network or unmeasured(rows))
    bank = stack(networks, context.measurement.device)
    del networks
    trim()
    return bank, frozenset(failed)


def _measured_network(
    context: Context, architecture: str, rows: Sequence[Statistic]
) -> MeasuredNetwork:
    config = context.measurement_of(architecture)
    with seeded(config.seed):  # what building draws may be kept
        model = context.space.build(architecture, config.classes)
    try:
        return measure(model, config, rows)
    except InputError as error:
        if not context.presented:
            raise
        raise InputError(f"model {architecture}: {error}") from error

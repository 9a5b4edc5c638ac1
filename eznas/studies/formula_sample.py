"""Networks on which a formula, and whatever is made of its features, has known scores."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from eznas.benchmarks import Benchmark
from eznas.evaluation.evaluator import one_thread
from eznas.evaluation.executors import Phases
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.feature_values import Array
from eznas.evaluation.network_scores import table_of
from eznas.formulas.expression import Expression
from eznas.metrics import bootstrap_weights, undefined_scores
from eznas.metrics.ranks import taus
from eznas.proxies.measured import ScoringSettings, team_for
from eznas.proxies.proxy import Proxy

REPLICATES = 200  # of the bootstrap behind an interval


@dataclass(frozen=True, eq=False)
class FormulaSample:
    """Networks of one or more spaces, with the features of a formula measured on them."""

    benchmarks: Sequence[Benchmark]
    tables: Sequence[FeatureTable]

    @staticmethod
    def of(
        proxy: Proxy, benchmarks: Sequence[Benchmark], settings: ScoringSettings, callback: Phases
    ) -> "FormulaSample":
        """Measure what the formula of a proxy needs on networks. Raises `InputError` where one
        cannot be measured."""
        tables = []
        for benchmark in benchmarks:
            measurement = settings.measurement(proxy, settings.seeds[0])
            with ExitStack() as cleanup:
                team = cleanup.enter_context(team_for(benchmark, measurement, settings, callback))
                cleanup.enter_context(one_thread())
                table = table_of(benchmark, team)
                table.fill([proxy.formula], table.networks)
            tables.append(table)
        return FormulaSample(benchmarks, tables)

    def scores(self, formula: Expression) -> dict[str, Array]:
        """The scores of a formula with known features: data set -> [networks]."""
        return {
            task.dataset: table.scores(formula, task.context, table.networks).values
            for benchmark, table in zip(self.benchmarks, self.tables, strict=True)
            for task in benchmark.tasks()
        }

    def taus(self, formulas: Sequence[Expression]) -> dict[str, Array]:
        """Taus of formulas, over the networks on which the first is defined: data set -> [formulas,
        1 + replicates], that of the sample itself first."""
        scores, result = [self.scores(formula) for formula in formulas], {}
        for benchmark in self.benchmarks:
            drawn = bootstrap_weights(benchmark.components, REPLICATES).astype(np.float64)
            weights = np.vstack([np.ones(drawn.shape[1]), drawn])
            for dataset, accuracies in benchmark.accuracies.items():
                defined = ~undefined_scores(scores[0][dataset])
                rows = np.stack([of_formula[dataset][defined] for of_formula in scores])
                result[dataset] = taus(rows, accuracies[defined], weights[:, defined])
        return result

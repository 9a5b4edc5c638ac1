"""Tables for a terminal: rows in, rich tables out. Nothing here prints."""

from eznas.report.arena_tables import arena_table
from eznas.report.autoencoding import autoencoding_table
from eznas.report.calibration_tables import (
    calibration_lines,
    reliability_table,
    two_models_lines,
    two_models_table,
)
from eznas.report.correlation_tables import (
    correlation_table,
    difference_table,
    final_table,
    look_line,
)
from eznas.report.explanation import explanation_lines
from eznas.report.front_tables import formula_front_lines, formula_front_table
from eznas.report.latent_tables import (
    answer_table,
    latent_comparison_table,
    latent_comparison_title,
    latent_lines,
    latent_title,
    weight_table,
)
from eznas.report.listing_tables import (
    check_table,
    curve_table,
    data_table,
    discovered_lines,
    imported,
    imported_curves,
    proxy_table,
    reason_lines,
    remedy_lines,
    score_table,
    source_lines,
    word_table,
)
from eznas.report.own_models import recommendation
from eznas.report.predictor_tables import (
    budget_table,
    prediction_table,
    predictor_table,
    winner_table,
)
from eznas.report.run_tables import UNTESTED, outcome_lines, run_table, short_table
from eznas.report.search_tables import (
    best_line,
    comparison_table,
    comparison_title,
    front_table,
    search_table,
    search_title,
)
from eznas.report.split_tables import leaf_table, split_table, split_title, tree_lines
from eznas.report.study_tables import (
    agreement_table,
    combine_table,
    feature_ranking_table,
    scoring_table,
    search_speed_table,
    speed_table,
    yardstick_table,
)
from eznas.report.supernet_tables import few_shot_table, supernet_table
from eznas.report.yardstick_tables import ablation_table, folds_table

__all__ = [
    "UNTESTED",
    "ablation_table",
    "agreement_table",
    "answer_table",
    "arena_table",
    "autoencoding_table",
    "best_line",
    "budget_table",
    "calibration_lines",
    "check_table",
    "combine_table",
    "comparison_table",
    "comparison_title",
    "correlation_table",
    "curve_table",
    "data_table",
    "difference_table",
    "discovered_lines",
    "explanation_lines",
    "feature_ranking_table",
    "few_shot_table",
    "final_table",
    "folds_table",
    "formula_front_lines",
    "formula_front_table",
    "front_table",
    "imported",
    "imported_curves",
    "latent_comparison_table",
    "latent_comparison_title",
    "latent_lines",
    "latent_title",
    "leaf_table",
    "look_line",
    "outcome_lines",
    "prediction_table",
    "predictor_table",
    "proxy_table",
    "reason_lines",
    "recommendation",
    "reliability_table",
    "remedy_lines",
    "run_table",
    "score_table",
    "scoring_table",
    "search_speed_table",
    "search_table",
    "search_title",
    "short_table",
    "source_lines",
    "speed_table",
    "split_table",
    "split_title",
    "supernet_table",
    "tree_lines",
    "two_models_lines",
    "two_models_table",
    "weight_table",
    "winner_table",
    "word_table",
    "yardstick_table",
]

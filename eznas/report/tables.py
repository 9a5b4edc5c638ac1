"""Tables for a terminal: rows in, rich tables out. Nothing here prints."""

from eznas.report.correlation_tables import correlation_table, difference_table, outcome_line
from eznas.report.listing_tables import (
    check_table,
    curve_table,
    data_table,
    imported,
    imported_curves,
    proxy_table,
    reason_lines,
    remedy_lines,
    score_table,
    source_lines,
    word_table,
)
from eznas.report.predictor_tables import (
    budget_table,
    prediction_table,
    predictor_table,
    winner_table,
)
from eznas.report.search_tables import (
    best_line,
    comparison_table,
    comparison_title,
    front_table,
    search_table,
    search_title,
)
from eznas.report.study_tables import (
    agreement_table,
    combine_table,
    feature_ranking_table,
    speed_table,
    yardstick_table,
)

__all__ = [
    "agreement_table",
    "best_line",
    "budget_table",
    "check_table",
    "combine_table",
    "comparison_table",
    "comparison_title",
    "correlation_table",
    "curve_table",
    "data_table",
    "difference_table",
    "feature_ranking_table",
    "front_table",
    "imported",
    "imported_curves",
    "outcome_line",
    "prediction_table",
    "predictor_table",
    "proxy_table",
    "reason_lines",
    "remedy_lines",
    "score_table",
    "search_table",
    "search_title",
    "source_lines",
    "speed_table",
    "winner_table",
    "word_table",
    "yardstick_table",
]

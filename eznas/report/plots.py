"""Plots: data in, a PNG file out, equal bytes for equal input. Nothing here prints."""

from eznas.report.bars import bar_plot
from eznas.report.figure import check
from eznas.report.lines import line_plot
from eznas.report.scatter import scatter_plot

__all__ = ["bar_plot", "check", "line_plot", "scatter_plot"]

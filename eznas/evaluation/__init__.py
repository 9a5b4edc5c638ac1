"""Evaluation: formulas x networks -> feature values, planned once and measured once."""

"""Predictors: from feature values to accuracy."""

"""Evolution: from formulas to better formulas."""

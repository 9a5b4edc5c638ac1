"""How fast formulas are evaluated, beside the way it was done before."""

"""Studies: one experiment a file."""

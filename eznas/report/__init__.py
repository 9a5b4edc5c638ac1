"""Tables for a terminal and plots as PNG files."""

"""Supernets: weight sharing between the networks of a space."""

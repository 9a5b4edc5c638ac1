"""Genetic programming that discovers zero-cost proxies."""

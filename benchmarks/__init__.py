"""Timed comparisons with named references: `python -m benchmarks` lists them."""

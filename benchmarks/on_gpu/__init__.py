"""The parts of `python -m benchmarks gpu`: checks of what must hold there, and times."""

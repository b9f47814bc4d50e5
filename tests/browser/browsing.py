"""Where the tests in a browser find things."""

from pathlib import Path

ROOT = Path(__file__).parents[2]

"""Where the tests in a browser find things, and what they hold against a page."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
THEME = ("Identifier 'THEBE_JS_URL' has already been declared",)  # what the book's theme says on every page


def own(problems):
    """Problems that are not the theme's."""
    return [problem for problem in problems if not any(known in problem for known in THEME)]

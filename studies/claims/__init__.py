"""The sentences of "What the numbers say", of the first page and of README.md that rest on results, each with a check.

A sentence is the literal text of the page, but for line breaks; its check is true while the results bear it out.
"""

from studies.claims import beside, parts, phase, promises, rows, set_parts, sizes

FILES = (promises, rows, sizes, parts, beside, phase, set_parts)
CLAIMS = tuple(claim for file in FILES for claim in file.CLAIMS)

"""The sentences of the first page, "What the numbers say", "The verdict" and README.md that rest on results.

Each has a check. A sentence is the literal text of a page, but for line breaks; its check is true while the results
bear it out.
"""

from studies.claims import beside, parts, phase, promises, rows, set_parts, sizes, verdict

FILES = (promises, rows, sizes, parts, beside, phase, set_parts, verdict)
CLAIMS = tuple(claim for file in FILES for claim in file.CLAIMS)

"""What the labs stand on: set-up, claims and figures. Nothing else of the package imports from here."""

from mgd_helpers.lab.claims import print_claims
from mgd_helpers.lab.reference import show_reference
from mgd_helpers.lab.session import Lab, setup

__all__ = [
    "Lab",
    "print_claims",
    "setup",
    "show_reference",
]

"""What the labs stand on: set-up and figures. Nothing else of the package imports from here."""

from mgd_helpers.lab.session import Lab, setup

__all__ = [
    "Lab",
    "setup",
]

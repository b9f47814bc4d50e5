"""Chapter 9. The networks that are trained on a distilled set, and how they are trained."""

from mgd_helpers.students.networks import build
from mgd_helpers.students.recipes import Recipe
from mgd_helpers.students.training import accuracy, soft_labels, train_student, train_students

__all__ = [
    "Recipe",
    "accuracy",
    "build",
    "soft_labels",
    "train_student",
    "train_students",
]

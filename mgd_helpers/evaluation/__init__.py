"""Chapters 8 and 9. What a distilled set is worth: tables of students, distances, paired statistics, audits."""

from mgd_helpers.evaluation.audits import Audit, audit
from mgd_helpers.evaluation.paired import Difference, holm, paired_difference, pooled_difference
from mgd_helpers.evaluation.tables import distances, evaluate, measure, nearest_neighbor_accuracy, student_accuracies

__all__ = [
    "Audit",
    "Difference",
    "audit",
    "distances",
    "evaluate",
    "holm",
    "measure",
    "nearest_neighbor_accuracy",
    "paired_difference",
    "pooled_difference",
    "student_accuracies",
]

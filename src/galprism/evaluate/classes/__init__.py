"""Classes judged: star, quasar or galaxy, by probabilities that several methods give to the same sources."""

from galprism.evaluate.classes.agreement import Agreement, agreement
from galprism.evaluate.classes.counts import Called, Density
from galprism.evaluate.classes.curves import Thresholds, by_threshold, calibration_curve, calibration_error
from galprism.evaluate.classes.judge import ClassEntry, ClassJudgement, judge_class_predictions
from galprism.evaluate.classes.metrics import Classification, ClassMetrics, confusion_matrix, judge_classes, macro_f1
from galprism.evaluate.classes.probabilities import has_classes, probabilities
from galprism.evaluate.classes.records import class_value
from galprism.evaluate.classes.sample import ClassSample
from galprism.evaluate.classes.shown import Column, Shown
from galprism.evaluate.classes.studies import (
    TABLE_2,
    Division,
    brighter_than,
    extrapolation_table,
    in_bins,
    nested_subsets,
    training_size_table,
)

__all__ = [
    "TABLE_2",
    "Agreement",
    "Called",
    "ClassEntry",
    "ClassJudgement",
    "ClassMetrics",
    "ClassSample",
    "Classification",
    "Column",
    "Density",
    "Division",
    "Shown",
    "Thresholds",
    "agreement",
    "brighter_than",
    "by_threshold",
    "calibration_curve",
    "calibration_error",
    "class_value",
    "confusion_matrix",
    "extrapolation_table",
    "has_classes",
    "in_bins",
    "judge_class_predictions",
    "judge_classes",
    "macro_f1",
    "nested_subsets",
    "probabilities",
    "training_size_table",
]

"""Networks and template fits judged alike: metrics, calibration, comparison, figures, one report."""

from galprism.evaluate.bars import Bar, bars_table
from galprism.evaluate.calibration import Calibration, Coverage, calibrate, pit_from_quantiles
from galprism.evaluate.classes import (
    ClassJudgement,
    Column,
    Shown,
    class_value,
    judge_class_predictions,
    judge_classes,
)
from galprism.evaluate.compare import rms_ratio
from galprism.evaluate.judge import Judgement, judge
from galprism.evaluate.matching import Matched, match
from galprism.evaluate.metrics import PointMetrics, binned, edges, point_metrics
from galprism.evaluate.report import Report, evaluate, value
from galprism.evaluate.samples import STAR_FORMING, UNFLAGGED, Sample, Selection
from galprism.evaluate.tables import Table, table_text

__all__ = [
    "STAR_FORMING",
    "UNFLAGGED",
    "Bar",
    "Calibration",
    "ClassJudgement",
    "Column",
    "Coverage",
    "Judgement",
    "Matched",
    "PointMetrics",
    "Report",
    "Sample",
    "Selection",
    "Shown",
    "Table",
    "bars_table",
    "binned",
    "calibrate",
    "class_value",
    "edges",
    "evaluate",
    "judge",
    "judge_class_predictions",
    "judge_classes",
    "match",
    "pit_from_quantiles",
    "point_metrics",
    "rms_ratio",
    "table_text",
    "value",
]

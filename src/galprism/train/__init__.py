"""One readable loop, what it learns from, and how it is watched."""

from galprism.train.curves import draw_curves
from galprism.train.data import DrawnData, TrainingData, take_rows
from galprism.train.loop import Epoch, train
from galprism.train.schedule import LoopConfig

__all__ = ["DrawnData", "Epoch", "LoopConfig", "TrainingData", "draw_curves", "take_rows", "train"]

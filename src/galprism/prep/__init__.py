"""Sources -> Features: what a network sees, and the coordinates in which it is asked."""

from galprism.prep.augment import DropConfig, LoseConfig, drop
from galprism.prep.preparation import Features, Preparation, PreparationConfig
from galprism.prep.targets import Targets, TargetsConfig

__all__ = [
    "DropConfig",
    "Features",
    "LoseConfig",
    "Preparation",
    "PreparationConfig",
    "Targets",
    "TargetsConfig",
    "drop",
]

"""The search of settings that the models of the bench share: galprism.fit.search, by this room's name."""

from galprism.fit.search import Searched, Settings, Space, Trial, search

__all__ = ["Searched", "Settings", "Space", "Trial", "search"]

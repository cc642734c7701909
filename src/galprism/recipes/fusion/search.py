"""The search of settings that the models of the bench share: galprism.fit.search, by this room's name."""

from galprism.fit.search import Searched, Settings, Space, Trial, search

SEARCH_FILE = "search.json"
"""Where what was tried is kept, beside a model."""

__all__ = ["SEARCH_FILE", "Searched", "Settings", "Space", "Trial", "search"]

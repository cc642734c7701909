"""Recipes: one TOML file a published system, plus our own, and what turns them into catalogues, bundles and tables."""

from galprism.recipes.recipe import FitConfig, Recipe, SampleConfig, load, names

__all__ = ["FitConfig", "Recipe", "SampleConfig", "load", "names"]

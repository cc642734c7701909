"""Recipes: one TOML file a published system, plus our own, and what turns them into catalogues, bundles and tables."""

from galprism.recipes.recipe import ANY, FitConfig, Recipe, SampleConfig, check_population, for_survey, load, names

__all__ = ["ANY", "FitConfig", "Recipe", "SampleConfig", "check_population", "for_survey", "load", "names"]

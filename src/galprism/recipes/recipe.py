"""A recipe: everything that a trained model, its mocks and its references depend on, as a TOML file."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from galprism import config, passbands, surveys
from galprism.errors import RequestError
from galprism.mocks import NoiseConfig, PopulationConfig, RandomSurveysConfig
from galprism.mocks.field_config import FieldConfig
from galprism.mocks.images import ImageConfig
from galprism.prep import DropConfig, PreparationConfig, TargetsConfig

ANY = "any"
"""In place of a survey's name: surveys are drawn at random from a pool of passbands."""
FOLDER = resources.files("galprism.recipes") / "shipped"


@dataclass(frozen=True)
class SampleConfig:
    """How many mocks, by what they are for; ids count from 0 in the order train, validation, test."""

    train: int = 90_000
    validation: int = 10_000
    test: int = 20_000
    same_noise: bool = False
    """Every pass sees the training set with the noise of the first; otherwise noise is drawn afresh."""

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            if getattr(self, name) < 1:
                raise RequestError(f"sample.{name} = {getattr(self, name)}; accepted: 1 or more")


@dataclass(frozen=True)
class FitConfig:
    """The references that a network of this recipe is held against."""

    n_draws: int = 400_000
    """Prior draws of the exact posterior."""
    redshift_step: float = 0.005
    """Of the model caches, in ln(1 + z)."""
    n_limit: int = 2000
    """Objects that the exact posterior is computed for."""

    def __post_init__(self) -> None:
        for name, least in (("n_draws", 1), ("n_limit", 0)):
            if getattr(self, name) < least:
                raise RequestError(f"fit.{name} = {getattr(self, name)}; accepted: {least} or more")
        if not self.redshift_step > 0:
            raise RequestError(f"fit.redshift_step = {self.redshift_step}; accepted: above zero")


@dataclass(frozen=True)
class RedshiftConfig:
    """A second network of a model of any bands, which ranks redshifts where none is known. It learns from sets of
    candidates, of which one is true: scattered around a centre that is itself scattered around the truth."""

    candidates: int = 0
    """Of a set; 0 where redshifts must be known."""
    spread: tuple[float, float] = (0.003, 0.7)
    """In ln(1 + z), rms, of a set; drawn evenly in the logarithm."""
    net: dict[str, Any] = field(default_factory=dict)
    """`kind` and the settings of that kind."""
    train: dict[str, Any] = field(default_factory=dict)
    """The fields of galprism.train.LoopConfig."""

    def __post_init__(self) -> None:
        low, high = self.spread
        if self.candidates == 1 or self.candidates < 0 or not 0 < low <= high:
            raise RequestError(
                f"redshift.candidates = {self.candidates}, redshift.spread = [{low}, {high}]; accepted: 0 or from 2 "
                "on, and [least, most] above zero"
            )


@dataclass(frozen=True)
class Recipe:
    """One published system, or one of our own."""

    name: str
    title: str
    """One sentence, for lists."""
    survey: str
    targets: TargetsConfig = field(default_factory=TargetsConfig)
    """Parameters that are inferred, and in what coordinates."""
    reference: str = ""
    """The paper that it rebuilds."""
    seed: int = 1
    library: str = "bc03-miles"
    """Simple stellar populations, see galprism.sps.load_library: a name, or the path of files of the user's."""
    libraries: tuple[str, ...] = ()
    """Others that galaxies have their stars from as well, each library as many."""
    nebular: bool = True
    population: PopulationConfig = field(default_factory=PopulationConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    surveys: RandomSurveysConfig = field(default_factory=RandomSurveysConfig)
    """Surveys drawn at random, where `survey` is "any"; they take the place of `noise` and `drop`."""
    sample: SampleConfig = field(default_factory=SampleConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    prep: PreparationConfig = field(default_factory=PreparationConfig)
    drop: DropConfig = field(default_factory=DropConfig)
    net: dict[str, Any] = field(default_factory=dict)
    """The network: `kind`, `components` of its mixture (0 for a point), and the settings of that kind."""
    train: dict[str, Any] = field(default_factory=dict)
    """The training loop: the fields of galprism.train.LoopConfig. These two are checked where PyTorch is there."""
    redshift: RedshiftConfig = field(default_factory=RedshiftConfig)
    field: FieldConfig | None = None
    """A magnitude-limited field of galaxies, quasars and stars, in place of `population`."""
    images: ImageConfig | None = None
    """How cutouts of the field's sources are taken."""

    @property
    def stars(self) -> tuple[str, ...]:
        """Of which libraries the galaxies' stars are: `library`, and those of `libraries`."""
        first, others = (getattr(self, key) for key in ("library", "libraries"))
        return (first, *others)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise RequestError(f"seed = {self.seed}; accepted: 0 or more")
        kinds = {self.survey == ANY, bool(self.surveys.pool), self.prep.kind == "spectra"}
        if self.redshift.candidates and self.survey != ANY:
            raise RequestError(
                f"redshift.candidates = {self.redshift.candidates}: only recipes of any bands rank redshifts"
            )
        if len(kinds) > 1:
            raise RequestError(
                f"survey = {self.survey!r}, surveys.pool of {len(self.surveys.pool)} passbands and prep.kind = "
                f"{self.prep.kind!r} do not go together; for any bands: 'any', a pool, 'spectra'; for one survey's: "
                "its name, no pool, another kind"
            )


def check_population(recipe: Recipe) -> None:
    """Raises RequestError where the recipe's sky is a field, which nothing learns from or fits with."""
    if recipe.field is not None:
        raise RequestError(
            f"recipe {recipe.name} is a [field] of galaxies, quasars and stars, for `galprism mock` alone; accepted "
            "here: recipes of a [population]"
        )


def for_survey(recipe: Recipe, name: str) -> Recipe:
    """A recipe of any bands for one survey, by its name or file: the same galaxies, in bands of its own.

    The population's magnitudes are taken to be in the survey's band nearest in wavelength.
    Raises RequestError for a recipe that has a survey of its own, and for an unknown survey.
    """
    if recipe.survey != ANY:
        raise RequestError(
            f"recipe {recipe.name} is of the survey {recipe.survey}; --survey is for recipes of any bands"
        )
    wanted = passbands.get(recipe.population.band).pivot
    band = min(surveys.get(name).bands, key=lambda band: abs(passbands.get(band.passband).pivot - wanted))
    return replace(
        recipe,
        survey=name,
        surveys=RandomSurveysConfig(),
        prep=PreparationConfig(),
        redshift=RedshiftConfig(),
        population=replace(recipe.population, band=band.name),
    )


def names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(entry.name.removesuffix(".toml") for entry in FOLDER.iterdir() if entry.name.endswith(".toml"))


def load(name_or_path: str | Path, settings: Sequence[str] = ()) -> Recipe:
    """A recipe by its name or from a TOML file, with `section.key=value` settings put in.

    Raises RequestError for a recipe that is not there, an unknown key, or a value of the wrong type.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        if str(name_or_path) not in names():
            close = difflib.get_close_matches(str(name_or_path), names(), n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise RequestError(
                f"no recipe {str(name_or_path)!r}: {hint}there are {', '.join(names())}, or give the path of a .toml"
            )
        path = Path(str(FOLDER / f"{name_or_path}.toml"))
    values = config.override(config.read_toml(path), settings)
    try:
        return config.fill(Recipe, values)
    except RequestError as error:
        raise RequestError(f"recipe {path.name}: {error}") from error

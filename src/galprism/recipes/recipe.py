"""A recipe: everything that a trained model, its mocks and its references depend on, as a TOML file."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from galprism import config, passbands, surveys
from galprism.errors import RequestError
from galprism.mocks import NoiseConfig, PopulationConfig, RandomSurveysConfig
from galprism.mocks.images.cutouts import ImageConfig
from galprism.mocks.sky.field_config import ChosenConfig, FieldConfig
from galprism.mocks.spectra.config import SpectrumConfig
from galprism.prep import DropConfig, LoseConfig, PreparationConfig, TargetsConfig
from galprism.prep.classes import ClassInputConfig
from galprism.prep.modalities import ModalitiesConfig
from galprism.prep.pictures_and_spectra import SeenConfig

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
class LabelsConfig:
    """A catalogue of sources whose classes are known, in place of a simulated sky."""

    catalogue: str = ""
    """The table, of the recipe's survey; it has fluxes and classes."""
    column: str = "class"
    """Where it says star, qso or galaxy, in any case."""
    columns: dict[str, str] = field(default_factory=dict)
    """Its columns where they are not those of a preset, as in `--column`: mag_u = "u", mag_err_u = "none"."""


@dataclass(frozen=True)
class ClassesConfig:
    """A classifier of stars, quasars and galaxies, in place of `targets`."""

    inputs: ClassInputConfig = field(default_factory=ClassInputConfig)
    lose: LoseConfig = field(default_factory=LoseConfig)
    labels: LabelsConfig = field(default_factory=LabelsConfig)
    calibrate: bool = True
    """Temper the probabilities on the validation set."""
    networks: int = 1
    """So many are trained, from first weights of their own, and their probabilities averaged."""

    def __post_init__(self) -> None:
        if not 1 <= self.networks <= 10:
            raise RequestError(f"classes.networks = {self.networks}; accepted: 1 to 10")


@dataclass(frozen=True)
class LearnedConfig:
    """A catalogue of sources whose parameters are known, in place of a simulated population: galaxies with redshifts
    from spectra, say, from whose photometry the redshifts of others are learned."""

    catalogue: str = ""
    """The table, of the recipe's survey; it has fluxes and the parameters of `targets`."""
    columns: dict[str, str] = field(default_factory=dict)
    """Its columns where they are not those of a preset, as in `--column`: mag_u = "u", mag_err_u = "none"; and those of
    the targets, where they are not called as these are: redshift = "zspec"."""
    inputs: ClassInputConfig = field(default_factory=ClassInputConfig)
    """What of a source is looked at; of photometry alone."""
    networks: int = 1
    """So many are trained, from first weights of their own, and their posteriors averaged."""

    def __post_init__(self) -> None:
        if not 1 <= self.networks <= 10:
            raise RequestError(f"labels.networks = {self.networks}; accepted: 1 to 10")
        if self.inputs.image.bands:
            raise RequestError("labels.inputs.image: catalogues are of photometry; accepted: no image")


@dataclass(frozen=True)
class StagedConfig:
    """The networks of MMLforGalAM, M1 to M4, trained one after the other (galprism.recipes.staged)."""

    seen: SeenConfig = field(default_factory=SeenConfig)
    epochs: tuple[int, ...] = (100, 100, 100, 100)
    """Passes of each; the paper's (its Sect. 3.5)."""
    lr: tuple[float, ...] = (1e-4, 1e-3, 1e-4, 1e-4)
    """The paper's, constant, by Adam."""
    l2: float = 1e-3
    """Of the convolutions of M1 and M3; the paper has no number, this is its authors' code's."""
    batch_size: int = 32
    """Likewise: Keras's, where the code says none."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the products in training, see galprism.train.LoopConfig."""
    eight_bits: bool = True
    """Convolutions are exported in 8-bit integers: in float32 M2, M3 and M4 are slower by three."""

    def __post_init__(self) -> None:
        for name in ("epochs", "lr"):
            values = getattr(self, name)
            if len(values) != 4 or not all(value > 0 for value in values):
                raise RequestError(f"staged.{name} = {list(values)}; accepted: four numbers above zero, of M1 to M4")
        if self.batch_size < 1 or self.l2 < 0:
            raise RequestError(
                f"staged.batch_size = {self.batch_size}, staged.l2 = {self.l2}; accepted: 1 or more, 0 or more"
            )


@dataclass(frozen=True)
class SpectroscopicConfig:
    """Redshifts of spectra: what spectra at rest are made to learn a basis from (galprism.recipes.spectroscopic)."""

    spectra: int = 1500
    """Of each class."""
    star_components: int = 12
    qso_components: int = 14
    galaxy_components: int = 12
    star_redshift: tuple[float, float] = (-0.004, 0.004)
    qso_redshift: tuple[float, float] = (0.02, 5.2)
    galaxy_redshift: tuple[float, float] = (0.0, 1.1)
    atlas: str = ""
    """A folder of spectra of stars, wavelengths in air, as Pickles's (1998); without it, those that simple populations
    have the light of, and white dwarfs."""
    shares: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Of stars, quasars and galaxies, before a spectrum is seen."""
    margin: float = 10.0
    """nat: see galprism.prep.spectroscopic."""

    def __post_init__(self) -> None:
        if self.spectra < 50 or min(self.star_components, self.qso_components, self.galaxy_components) < 1:
            raise RequestError(
                f"spectroscopic.spectra = {self.spectra} with components of {self.star_components}, "
                f"{self.qso_components} and {self.galaxy_components}; accepted: 50 or more, and 1 or more"
            )
        for name in ("star", "qso", "galaxy"):
            low, high = getattr(self, f"{name}_redshift")
            if not -0.01 <= low < high <= 6.0:
                raise RequestError(
                    f"spectroscopic.{name}_redshift = [{low:g}, {high:g}]; accepted: from and to, within -0.01 to 6"
                )
        if min(self.shares) <= 0:
            raise RequestError(f"spectroscopic.shares = {list(self.shares)}; accepted: three numbers above zero")


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
    chosen: ChosenConfig | None = None
    """Sources of the field that are chosen by class and magnitude, in place of all."""
    spectra: SpectrumConfig | None = None
    """How spectra of the field's galaxies are taken."""
    classes: ClassesConfig | None = None
    """What tells their classes is trained, in place of parameters."""
    labels: LearnedConfig | None = None
    """The parameters are learned from a catalogue, in place of a simulated sky."""
    modalities: ModalitiesConfig | None = None
    """A network of photometry, images and spectra is trained, in place of one of photometry alone."""
    staged: StagedConfig | None = None
    """The networks of MMLforGalAM are trained."""
    spectroscopic: SpectroscopicConfig | None = None
    """Redshifts of spectra are found too, beside a network of [modalities] that tells redshifts of all else."""

    @property
    def stars(self) -> tuple[str, ...]:
        """Of which libraries the galaxies' stars are: `library`, and those of `libraries`."""
        first, others = (getattr(self, key) for key in ("library", "libraries"))
        return (first, *others)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise RequestError(f"seed = {self.seed}; accepted: 0 or more")
        self._check_classes()
        self._check_labels()
        self._check_spectroscopic()
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

    def _check_classes(self) -> None:
        if self.chosen is not None and self.field is None:
            raise RequestError("[chosen] needs a [field], of which sources are chosen")
        if self.classes is None:
            return
        image = self.classes.inputs.image
        if self.classes.labels.catalogue and (self.field is not None or image.bands):
            raise RequestError(
                "classes.labels.catalogue with a [field] or with images; accepted: a labelled catalogue of photometry, "
                "or a simulated [field]"
            )
        if image.bands:
            shown = (self.images.bands, self.images.size, self.images.pixel_scale) if self.images else None
            if shown is None or not set(image.bands) <= set(shown[0]) or (image.size, image.pixel_scale) != shown[1:]:
                raise RequestError(
                    f"classes.inputs.image has bands {list(image.bands)} of {image.size} px of {image.pixel_scale} "
                    f"arcsec, and [images] {'is not there' if shown is None else shown}; accepted: of the images taken"
                )

    def _check_labels(self) -> None:
        if self.labels is None:
            return
        other = [name for name in ("field", "classes", "modalities", "staged") if getattr(self, name) is not None]
        if other or self.survey == ANY:
            raise RequestError(
                f"[labels] with {f'[{other[0]}]' if other else 'any bands'}: parameters are learned from a catalogue "
                "of one survey, or of what is simulated"
            )
        if "redshift" in self.targets.names and self.labels.inputs.redshift:
            raise RequestError(
                "labels.inputs.redshift with redshift among targets.names; accepted: it is either asked for or told"
            )
        if "redshift" in self.targets.names and "redshift" not in self.targets.bounded:
            raise RequestError("targets.bounded lacks redshift, which has a range that no answer is outside of")
        if self.labels.networks > 1 and not self.net.get("components", 0):
            raise RequestError(
                f"labels.networks = {self.labels.networks} with points for answers; accepted: 1, or a mixture "
                "(net.components > 0), as posteriors are averaged"
            )

    def _check_spectroscopic(self) -> None:
        if self.spectroscopic is None:
            return
        beside = self.modalities
        if beside is None or beside.basis_size or self.targets.names != ("redshift",) or not self.targets.bounded:
            raise RequestError(
                "[spectroscopic] goes beside a network of [modalities] that tells redshifts and sees no spectra; "
                "accepted: modalities.basis_size = 0 and targets.names = targets.bounded = ['redshift']"
            )


def check_population(recipe: Recipe) -> None:
    """Raises RequestError where the recipe's sky is no population of galaxies, whose parameters can be learnt."""
    if recipe.labels is not None:
        raise RequestError(
            f"recipe {recipe.name} learns from a catalogue and has no sky; accepted here: recipes of a [population]"
        )
    if recipe.field is not None or recipe.classes is not None:
        what = "of classes" if recipe.classes is not None else "a [field] of galaxies, quasars and stars to simulate"
        raise RequestError(f"recipe {recipe.name} is {what}; accepted here: recipes of a [population]")


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
    """A recipe by its name or from a TOML file, with `section.key=value` settings put in. A file that names a `base`, a
    recipe of ours, says only what is different from it.

    Raises RequestError for a recipe that is not there, an unknown key, or a value of the wrong type.
    """
    path = _place(name_or_path)
    values = config.override(_read(path), settings)
    try:
        return config.fill(Recipe, values)
    except RequestError as error:
        raise RequestError(f"recipe {path.name}: {error}") from error


def _place(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if path.suffix == ".toml":
        return path
    if str(name_or_path) not in names():
        close = difflib.get_close_matches(str(name_or_path), names(), n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise RequestError(
            f"no recipe {str(name_or_path)!r}: {hint}there are {', '.join(names())}, or give the path of a .toml"
        )
    return Path(str(FOLDER / f"{name_or_path}.toml"))


def _read(path: Path) -> dict[str, Any]:
    """What a file says, on top of what its base says; tables such as [net] of another kind are replaced whole."""
    values = dict(config.read_toml(path))
    base = values.pop("base", None)
    if base is None:
        return values
    if base not in names():
        raise RequestError(f"{path}: base = {base!r}; accepted: {', '.join(names())}")
    return _merged(_read(_place(base)), values)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    if "kind" in above and above["kind"] != below.get("kind"):
        return above
    result = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        result[key] = _merged(below[key], value) if both else value
    return result

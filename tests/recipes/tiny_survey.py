"""A model for any bands, small but whole, and galaxies to ask it about."""

from galprism import recipes
from galprism.data import Photometry, Sources
from galprism.mocks.simulate import simulate
from galprism.recipes.sky import sky

POOL = [*(f"sdss/{band}" for band in "ugriz"), "speclite/decam2014-g", "speclite/decam2014-r", "speclite/decam2014-z"]
POOL += ["speclite/panstarrs-i", "speclite/panstarrs-y", "sedpy/ukirt_wfcam_J", "sedpy/ukirt_wfcam_K"]
TINY = (
    f"surveys.pool={POOL}".replace("'", '"'),
    "surveys.n_bands=[3,12]",
    "fit.n_draws=20000",
    "surveys.sources=64",
    "population.redshift=[0.05,1.0]",
    "prep.basis_size=8",
    "sample.train=8000",
    "sample.validation=500",
    "sample.test=6000",
    'targets.names=["logmstar","logsfr","age_mw","logzsol"]',
    'targets.bounded=["age_mw","logzsol"]',
    "net.width=48",
    "net.blocks=1",
    "net.components=3",
    "train.epochs=[6]",
    "train.batch_size=200",
    "redshift.net.width=48",
    "redshift.net.blocks=1",
    "redshift.train.epochs=[4]",
    "redshift.train.batch_size=100",
)


def mock(name: str, n: int = 1500):
    """Simulated galaxies of a survey, bright enough to be seen."""
    settings = ["seed=99", "population.redshift=[0.05,1.0]", "population.magnitude=[16.0,22.0]"]
    recipe = recipes.for_survey(recipes.load("galaxy-photometry", settings), name)
    parts = list(simulate(sky(recipe), recipe.noise, n))
    assert len(parts) == 1
    return parts[0]


def with_photometry(sources: Sources, flux=None, ivar=None, bands=None) -> Sources:
    seen = sources.photometry
    flux, ivar = (old if new is None else new for new, old in ((flux, seen.flux), (ivar, seen.ivar)))
    return Sources(sources.id, redshift=sources.redshift, photometry=Photometry(flux, ivar, bands or seen.bands))

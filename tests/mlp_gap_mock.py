"""2,000 galaxies of the recipe mlp-gap with KiDS noise and their truth; made by `galprism mock mlp-gap seed=7
noise.perturb=true`."""

from pathlib import Path

MOCK = Path(__file__).parent / "files" / "mlp-gap-mock.parquet"

"""The bench `sdss-fusion`: every way of joining images and spectra, by the same galaxies, split and report."""

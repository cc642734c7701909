"""Spectra of simulated galaxies, as a fibre of SDSS would take them of the sky that the images are of."""

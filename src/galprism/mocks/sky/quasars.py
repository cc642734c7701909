"""Quasars of a magnitude-limited sky: a luminosity function, the spectra of nuclei, and the galaxies around them."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from galprism import passbands
from galprism.errors import RequestError
from galprism.mocks.sky import relations
from galprism.mocks.sky.field_config import BRIGHTEST, QuasarConfig
from galprism.mocks.sky.members import Members
from galprism.mocks.sky.quasar_hosts import Hosts
from galprism.mocks.sky.quasar_luminosity import rate
from galprism.mocks.sky.shapes import drawn_shapes
from galprism.sps.quasar_lines import STRONGEST, WEAKEST, line_type
from galprism.sps.quasars import Nuclei, QuasarModel
from galprism.surveys import Survey
from galprism.units import njy_from_abmag

Z_CELLS, M_STEP = 240, 0.1
"""Cells of redshift, even in ln(1 + z), and of magnitude, in which the luminosity function is taken as constant."""
MARGIN = 1.5
"""mag: how much brighter than the mean of its redshift and luminosity a quasar is thought to be at most."""
PROBES = 20_000
"""Quasars drawn to find which share of those near the limit is above it."""
HOST_M_I = -23.0
"""M_i(z=2) at which the share of the host is `host_fraction` (Temple, Hewett & Banerji 2021)."""


class Quasars:
    """The quasars of a sky that are brighter than a limit in one band, their hosts' light included.

    config : what quasars there are; survey : its bands; band : the one that `limit` in AB mag is of.
    Raises RequestError where the survey has no such band, or no quasar is bright enough.
    """

    def __init__(self, config: QuasarConfig, survey: Survey, band: str, limit: float):
        if band not in survey.band_names:
            raise RequestError(f"band {band!r} is not one of {survey.name}: {', '.join(survey.band_names)}")
        if not np.isfinite(limit):
            raise RequestError(f"limit = {limit}; accepted: a magnitude")
        self.config = config
        self.band = survey.band_names.index(band)
        self.faintest_flux = njy_from_abmag(limit)
        curves = [passbands.get(b.passband) for b in survey.bands]
        self.model = QuasarModel(curves, z_max=config.redshift[1])
        self.hosts = Hosts(curves, config.redshift)
        self._z_edges = np.linspace(np.log1p(config.redshift[0]), np.log1p(config.redshift[1]), Z_CELLS + 1)
        self._m_edges = np.linspace(
            BRIGHTEST, config.faintest, int(np.ceil((config.faintest - BRIGHTEST) / M_STEP)) + 1
        )
        number = self._per_cell()
        self._last = np.cumsum(number)
        if not self._last[-1] > 0:
            raise RequestError(f"limit = {limit}: no quasar is that bright; accepted: a fainter magnitude")

    def surface_density(self) -> float:
        """Quasars per square degree above the limit, to half a per cent: the mean that `patch` draws from."""
        return self._last[-1] * self._share

    def patch(self, area: float, rng: np.random.Generator) -> Members:
        """The quasars of `area` square degrees, a Poisson draw. Raises RequestError for an area that is not above 0."""
        if not area > 0:
            raise RequestError(f"area = {area}; accepted: above 0 square degrees")
        return self._drawn(rng.poisson(self._last[-1] * area), rng)

    @cached_property
    def _share(self) -> float:
        """Of the candidates, those above the limit."""
        return len(self._drawn(PROBES, np.random.default_rng(0))) / PROBES

    def _per_cell(self) -> np.ndarray:
        """(cells,): quasars per square degree in each cell of (redshift, magnitude), 0 where they are far too faint."""
        z, m_i = (0.5 * (edges[1:] + edges[:-1]) for edges in (self._z_edges, self._m_edges))
        z, m_i = (column.ravel() for column in np.meshgrid(np.expm1(z), m_i, indexing="ij"))
        zero = np.zeros_like(z)
        nuclei = Nuclei(z, m_i, zero, line_type(m_i), zero)
        host, _ = self.hosts.light(z, self._host_luminosity(nuclei))
        bright = (self.model(nuclei) + host)[:, self.band] * 10 ** (0.4 * MARGIN) > self.faintest_flux
        d_z = (1.0 + z) * (self._z_edges[1] - self._z_edges[0])
        return np.where(bright, rate(m_i, z) * d_z * (self._m_edges[1] - self._m_edges[0]), 0.0)

    def _host_luminosity(self, nuclei: Nuclei) -> np.ndarray:
        """(N,), erg/s/A: mean luminosities of hosts from 4000 to 5000 A (Temple et al. 2021)."""
        share = self.config.host_fraction / (1.0 - self.config.host_fraction)
        fainter = 10 ** (0.4 * (1.0 - self.config.host_index) * (nuclei.m_i - HOST_M_I))
        return share * fainter * self.model.optical_luminosity(nuclei)

    def _drawn(self, n: int, rng: np.random.Generator) -> Members:
        """n candidates, and of those the ones above the limit."""
        cell = np.searchsorted(self._last, rng.random(n) * self._last[-1], side="right")
        z_cell, m_cell = np.divmod(cell, len(self._m_edges) - 1)
        redshift = np.expm1(_within(self._z_edges, z_cell, rng))
        nuclei = self._nuclei(redshift, _within(self._m_edges, m_cell, rng), rng)
        scatter = 10.0 ** (self.config.host_scatter * rng.standard_normal(n))
        host, mass = self.hosts.light(redshift, self._host_luminosity(nuclei) * scatter)
        point = self.model(nuclei)
        rows = np.flatnonzero((point + host)[:, self.band] >= self.faintest_flux)
        return self._members(redshift[rows], point[rows], host[rows], mass[rows], rng)

    def _nuclei(self, redshift: np.ndarray, m_i: np.ndarray, rng: np.random.Generator) -> Nuclei:
        """The nuclei at these redshifts and magnitudes (N,): how their spectra differ from the mean."""
        n, config = len(redshift), self.config
        lines = line_type(m_i) + config.line_scatter * rng.standard_normal(n)
        reddened = rng.random(n) < config.reddened_share
        return Nuclei(
            redshift=redshift,
            m_i=m_i,
            slope=config.slope_scatter * rng.standard_normal(n),
            lines=np.clip(lines, WEAKEST, STRONGEST),
            ebv=np.where(reddened, rng.exponential(config.reddening, n), 0.0),
        )

    def _members(self, redshift, point, host, mass, rng: np.random.Generator) -> Members:
        n = len(redshift)
        logmstar = np.log10(mass, out=np.full(n, np.nan), where=mass > 0)
        logm = np.where(mass > 0, logmstar, 10.0)  # where there is no host its shape plays no part
        bulge = relations.bulge_share(logm, np.ones(n, bool), rng.standard_normal(n))[:, None]
        return Members(
            redshift=redshift,
            point=point,
            bulge=bulge * host,
            disc=(1.0 - bulge) * host,
            shapes=drawn_shapes(redshift, logm, rng),
            values={"redshift": redshift, "logmstar": logmstar},
            kind=np.full(n, "qso"),
        )


def _within(edges: np.ndarray, cell: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N,): anywhere in cells (N,), alike."""
    return edges[cell] + (edges[cell + 1] - edges[cell]) * rng.random(len(cell))

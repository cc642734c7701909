"""S-PLUS: twelve bands of the 0.8 m telescope T80-South; Mendes de Oliveira et al. (2019, MNRAS 489, 241).

Passbands: flat tops of the centres and widths of their Table 2, as modelled; the measured curves are at the SVO
(CTIO/S-PLUS…) and take a network. Depths: about those of the first release at 5 sigma. Zero-point errors: assumed.
Extinction: between the values of SDSS's bands at the same wavelengths (Schlafly & Finkbeiner 2011, Table 6, R_V = 3.1).
"""

from galprism.surveys.band import Band
from galprism.surveys.survey import Survey

SURVEY = Survey(
    "splus",
    (
        Band("uJAVA", "tophat/3536x352", 20.4, 0.02, 4.308, 13.5, 24.5),
        Band("J0378", "tophat/3770x151", 20.1, 0.02, 4.046, 13.5, 24.5),
        Band("J0395", "tophat/3940x103", 19.9, 0.02, 3.876, 13.5, 24.5),
        Band("J0410", "tophat/4094x201", 20.0, 0.02, 3.733, 13.5, 24.5),
        Band("J0430", "tophat/4292x201", 20.0, 0.02, 3.565, 13.5, 24.5),
        Band("g", "tophat/4751x1545", 20.9, 0.02, 3.201, 13.5, 24.5),
        Band("J0515", "tophat/5133x207", 20.2, 0.02, 2.888, 13.5, 24.5),
        Band("r", "tophat/6258x1465", 20.8, 0.02, 2.21, 13.5, 24.5),
        Band("J0660", "tophat/6614x147", 20.7, 0.02, 2.031, 13.5, 24.5),
        Band("i", "tophat/7690x1506", 20.4, 0.02, 1.607, 13.5, 24.5),
        Band("J0861", "tophat/8611x408", 19.7, 0.02, 1.333, 13.5, 24.5),
        Band("z", "tophat/8831x1182", 19.9, 0.02, 1.279, 13.5, 24.5),
    ),
    description="Southern Photometric Local Universe Survey: 7 narrow and 5 broad bands over 9,300 square degrees",
)

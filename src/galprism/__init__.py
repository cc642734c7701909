"""galprism reads the light of a survey and says what each source is and what it is made of.

In Python:

    from galprism import bundle, surveys
    from galprism.infer import predict

    model = bundle.load("kids-mass-sfr")                 # bundle.names() has them all
    sources = surveys.read("my.fits", model.survey)
    found = predict(model, sources)
    found.column("logmstar"), found.quantile("logmstar", 0.16), found.flags
"""

__version__ = "0.1.0"

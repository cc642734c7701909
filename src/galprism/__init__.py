"""galprism reads the light of a survey and says what each source is and what it is made of."""

__version__ = "0.1.0"

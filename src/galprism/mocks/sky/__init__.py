"""A field of the sky to a magnitude: its galaxies, quasars and stars, in their numbers and as they look."""

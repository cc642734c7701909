"""Images of a simulated sky: its light in pixels, and what a camera makes of it."""

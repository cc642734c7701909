"""Archives of surveys, asked over the network: one polite client, and what each archive has and how it is asked."""

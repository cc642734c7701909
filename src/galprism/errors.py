"""The two ways a run ends badly. The command line turns them into exit statuses 2 and 1."""


class GalprismError(Exception):
    """The run failed (exit status 1)."""


class RequestError(GalprismError, ValueError):
    """The request was wrong: a file, column, key or value that is not accepted (exit status 2).

    The message names the file, column or key, shows the value and says what would be accepted.
    """

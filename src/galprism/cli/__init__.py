"""The command line: one thin file a verb. Parse, call the Python verb, write."""

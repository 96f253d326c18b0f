"""The error that an artist sees."""


class CaptureError(Exception):
    """Something the artist can act on: the message is one sentence that says what is wrong and what to do."""

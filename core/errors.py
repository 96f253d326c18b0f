"""The one kind of error that an artist gets to see."""


class CaptureError(Exception):
    """Something the artist can act on: the message is one sentence that says what is wrong and what to do."""

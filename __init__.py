"""Kinelift: a video of a person becomes an animation an artist keeps. This file only registers."""


def register() -> None:
    """Called by Blender when the extension is enabled."""


def unregister() -> None:
    """Called by Blender when the extension is disabled."""

"""A motion onto an armature that somebody else made: which bone is which, and what has to be keyed on it."""

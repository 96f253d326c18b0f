"""A motion onto an armature that somebody else made: which bone is which, and what has to be keyed on it."""

#: custom property of a scene: the live preview that runs in it (`preview.start_preview`)
PREVIEW = "kinelift_preview"

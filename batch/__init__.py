"""Many clips: which, in what order, on which machine, and what became of them. No bpy, and numpy at most."""

"""The network that turns landmarks into motion, and how its weights are kept."""

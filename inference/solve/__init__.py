"""The solver: fits the lifter's motion to the landmarks, over the whole video at once."""

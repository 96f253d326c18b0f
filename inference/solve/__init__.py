"""The solver: the lifter's answer and the landmarks of a whole clip, weighed against each other."""

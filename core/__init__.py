"""What Blender and the worker both use: the skeleton, motions, options. Numpy at most, and no bpy."""

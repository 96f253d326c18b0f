"""Code that Blender and the worker share: the skeleton, motions, options. It imports numpy alone."""

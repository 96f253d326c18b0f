"""The worker, from a video to a `Motion`: detection, tracking, lifting, solving.

It runs in a process of its own and never imports bpy.
"""

import os

# Blender, or another clip, works beside it: a thread that waits must not hold a core. Otherwise torch is four
# times slower there, and no faster where it is alone. OpenMP reads this when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

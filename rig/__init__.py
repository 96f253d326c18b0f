"""What Blender objects are made of: armature, action, scene. bpy, but no operators."""

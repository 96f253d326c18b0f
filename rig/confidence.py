"""The body in the viewport, coloured frame by frame by how sure each part of it is."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..core.capture import Capture
from ..core.colours import HIGH, LOW, MIDDLING, linear
from ..core.mannequin import MOST_BONES
from ..core.quality import doubt
from ..core.skeleton import JOINTS
from .action import FIRST_FRAME

#: colour attribute of the evaluated body
ATTRIBUTE = "Confidence"
#: attribute of the table's points: how sure a joint is, 0 to 1
VALUE = "confidence"
#: name of the modifier
_MODIFIER = "Confidence"


def show_confidence(body: bpy.types.Object, capture: Capture, scene: bpy.types.Scene) -> None:
    """Colour a body by `quality.doubt`: from green over yellow to red, a guess or off the picture.

    A geometry nodes modifier looks up every frame of the scene, at its frame rate, and writes the colour
    attribute `ATTRIBUTE`, which the viewport shows with Shading > Colour > Attribute. Materials are kept;
    removing the modifier undoes it.

    Parameters
    ----------
    body : bpy.types.Object
        Made by `add_body`.
    capture : Capture
    scene : bpy.types.Scene
    """
    _keep_bones(body)
    before = body.modifiers.get(_MODIFIER)
    if before is not None:
        body.modifiers.remove(before)
    modifier = body.modifiers.new(_MODIFIER, "NODES")
    per_frame = capture.motion.fps / (scene.render.fps / scene.render.fps_base)
    modifier.node_group = _nodes(_table(capture), len(capture), per_frame)
    colours = body.data.color_attributes
    if ATTRIBUTE not in colours:
        colours.new(ATTRIBUTE, "FLOAT_COLOR", "POINT")
    colours.active_color_name = ATTRIBUTE
    colours.render_color_index = colours.find(ATTRIBUTE)


def _keep_bones(body: bpy.types.Object) -> None:
    """Attributes on the vertices: which bones move each, and how much."""
    names = [group.name for group in body.vertex_groups]
    count = len(body.data.vertices)
    bones, shares = np.zeros((MOST_BONES, count), np.int32), np.zeros((MOST_BONES, count), np.float32)
    for vertex in body.data.vertices:
        for slot, entry in enumerate(vertex.groups):
            bones[slot, vertex.index] = JOINTS.index(names[entry.group])
            shares[slot, vertex.index] = entry.weight
    for slot in range(MOST_BONES):
        for name, kind, values in ((f"bone{slot}", "INT", bones), (f"share{slot}", "FLOAT", shares)):
            attribute = body.data.attributes.get(name) or body.data.attributes.new(name, kind, "POINT")
            attribute.data.foreach_set("value", values[slot])


def _table(capture: Capture) -> bpy.types.Object:
    """An object in no scene whose points hold how sure joints are, joint after joint, frame after frame."""
    mesh = bpy.data.meshes.new(_MODIFIER)
    values = (1 - doubt(capture)).astype(np.float32).ravel()
    mesh.vertices.add(len(values))
    mesh.attributes.new(VALUE, "FLOAT", "POINT").data.foreach_set("value", values)
    return bpy.data.objects.new(_MODIFIER, mesh)


def _nodes(table: bpy.types.Object, frames: int, per_frame: float) -> bpy.types.NodeTree:
    tree = bpy.data.node_groups.new(_MODIFIER, "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")

    def node(kind: str, **properties: Any) -> Any:
        made = tree.nodes.new(kind)
        for name, value in properties.items():
            setattr(made, name, value)
        return made

    def math(operation: str, *inputs: Any) -> Any:
        made = node("ShaderNodeMath", operation=operation)
        for socket, value in zip(made.inputs, inputs, strict=False):
            plug(value, socket)
        return made.outputs[0]

    def plug(value: Any, socket: Any) -> None:
        if isinstance(value, int | float):
            socket.default_value = value
        else:
            tree.links.new(value, socket)

    def named(name: str, kind: str) -> Any:
        made = node("GeometryNodeInputNamedAttribute", data_type=kind)
        made.inputs["Name"].default_value = name
        return made.outputs["Attribute"]

    frame = node("GeometryNodeInputSceneTime").outputs["Frame"]
    # half a frame is added so that rounding goes to the nearest
    at = math("MULTIPLY", math("SUBTRACT", frame, float(FIRST_FRAME)), per_frame)
    row = math("FLOOR", math("ADD", math("MINIMUM", math("MAXIMUM", at, 0.0), float(frames - 1)), 0.5))
    first = math("MULTIPLY", row, float(len(JOINTS)))
    info = node("GeometryNodeObjectInfo")
    info.inputs["Object"].default_value = table
    total: Any = 0.0
    for slot in range(MOST_BONES):
        sample = node("GeometryNodeSampleIndex", data_type="FLOAT", domain="POINT")
        tree.links.new(info.outputs["Geometry"], sample.inputs["Geometry"])
        value = next(s for s in sample.inputs if s.name == "Value" and s.enabled)
        tree.links.new(named(VALUE, "FLOAT"), value)
        tree.links.new(math("ADD", first, named(f"bone{slot}", "INT")), sample.inputs["Index"])
        seen = next(s for s in sample.outputs if s.enabled)
        total = math("MULTIPLY_ADD", seen, named(f"share{slot}", "FLOAT"), total)
    ramp = node("ShaderNodeValToRGB")
    ramp.color_ramp.elements.new(0.5)
    for element, colour in zip(ramp.color_ramp.elements, (LOW, MIDDLING, HIGH), strict=True):
        element.color = (*linear(colour), 1)
    tree.links.new(total, ramp.inputs[0])
    store = node("GeometryNodeStoreNamedAttribute", data_type="FLOAT_COLOR", domain="POINT")
    store.inputs["Name"].default_value = ATTRIBUTE
    tree.links.new(node("NodeGroupInput").outputs[0], store.inputs["Geometry"])
    tree.links.new(ramp.outputs["Color"], next(s for s in store.inputs if s.name == "Value" and s.enabled))
    tree.links.new(store.outputs["Geometry"], node("NodeGroupOutput").inputs[0])
    return tree

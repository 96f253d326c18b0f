"""The body in the viewport, coloured frame by frame by how sure each part of it is."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..core.capture import Capture
from ..core.colours import HIGH, LOW, MIDDLING, linear
from ..core.mannequin import MOST_BONES
from ..core.quality import depth_doubt, doubt
from ..core.skeleton import JOINTS
from .action import FIRST_FRAME

#: colour attribute of the evaluated body
ATTRIBUTE = "Confidence"
#: attribute of the table's points: how sure a joint is, 0 to 1
VALUE = "confidence"
#: name of the modifier
_MODIFIER = "Confidence"
#: custom property of the body: what was shown before
_BEFORE = "kinelift_colours"


def shows_confidence(body: bpy.types.Object | None) -> bool:
    """Whether a body is coloured by `show_confidence`."""
    return body is not None and _BEFORE in body


def show_confidence(
    body: bpy.types.Object,
    capture: Capture,
    scene: bpy.types.Scene,
    shading: bpy.types.View3DShading | None = None,
) -> None:
    """Colour a body by `quality.doubt` and `quality.depth_doubt`, the larger of both.

    From green over yellow to red: a guess, off the picture, or unknown in depth.

    A geometry nodes modifier looks up every frame of the scene, at its frame rate, and writes the colour
    attribute `ATTRIBUTE`, which the viewport shows with Shading > Colour > Attribute. Materials are kept, and
    `hide_confidence` undoes it.

    Parameters
    ----------
    body : bpy.types.Object
        Made by `add_body`.
    capture : Capture
    scene : bpy.types.Scene
    shading : bpy.types.View3DShading, optional
        Of the viewport that is to show the colours.
    """
    if shows_confidence(body):
        hide_confidence(body, shading)
    colours = body.data.color_attributes
    body[_BEFORE] = {
        "edited": colours.active_color_name,
        "rendered": colours[colours.render_color_index].name if len(colours) else "",
        "shown": shading.color_type if shading is not None else "",
    }
    _keep_bones(body)
    modifier = body.modifiers.new(_MODIFIER, "NODES")
    per_frame = capture.motion.fps / (scene.render.fps / scene.render.fps_base)
    modifier.node_group = _nodes(_table(capture), len(capture), per_frame)
    if ATTRIBUTE not in colours:
        colours.new(ATTRIBUTE, "FLOAT_COLOR", "POINT")
    _choose(colours, ATTRIBUTE, ATTRIBUTE)
    if shading is not None:
        shading.color_type = "VERTEX"


def hide_confidence(body: bpy.types.Object, shading: bpy.types.View3DShading | None = None) -> None:
    """Undo `show_confidence`: the colours that were there are chosen and shown again."""
    before = body[_BEFORE].to_dict()
    del body[_BEFORE]
    modifier = body.modifiers.get(_MODIFIER)
    if modifier is not None:
        nodes = modifier.node_group
        body.modifiers.remove(modifier)
        if nodes is not None and nodes.users == 0:
            _remove(nodes)
    attributes = body.data.attributes
    for name in (ATTRIBUTE, *(name for slot in range(MOST_BONES) for name in _slot_names(slot))):
        if (attribute := attributes.get(name)) is not None:
            attributes.remove(attribute)
    _choose(body.data.color_attributes, before["edited"], before["rendered"])
    # the artist may have chosen others meanwhile
    if shading is not None and shading.color_type == "VERTEX" and before["shown"]:
        shading.color_type = before["shown"]


def _choose(colours: Any, edited: str, rendered: str) -> None:
    """Choose the colour attributes that are edited and rendered, if they are there."""
    if edited in colours:
        colours.active_color_name = edited
    if rendered in colours:
        colours.render_color_index = colours.find(rendered)


def _remove(nodes: bpy.types.NodeTree) -> None:
    """Remove the node tree, and the table that it reads."""
    tables = [
        socket.default_value for node in nodes.nodes for socket in node.inputs if socket.type == "OBJECT"
    ]
    bpy.data.node_groups.remove(nodes)
    for table in tables:
        if table is not None and table.users == 0:
            mesh = table.data
            bpy.data.objects.remove(table)
            bpy.data.meshes.remove(mesh)


def _slot_names(slot: int) -> tuple[str, str]:
    """Attributes on the vertices: which bone is in a slot, and its share."""
    return f"bone{slot}", f"share{slot}"


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
        for name, kind, values in zip(_slot_names(slot), ("INT", "FLOAT"), (bones, shares), strict=True):
            attribute = body.data.attributes.get(name) or body.data.attributes.new(name, kind, "POINT")
            attribute.data.foreach_set("value", values[slot])


def _table(capture: Capture) -> bpy.types.Object:
    """An object in no scene whose points hold how sure joints are, joint after joint, frame after frame."""
    mesh = bpy.data.meshes.new(_MODIFIER)
    values = 1 - np.maximum(doubt(capture), depth_doubt(capture)).astype(np.float32).ravel()
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
        bone, share = _slot_names(slot)
        value = next(s for s in sample.inputs if s.name == "Value" and s.enabled)
        tree.links.new(named(VALUE, "FLOAT"), value)
        tree.links.new(math("ADD", first, named(bone, "INT")), sample.inputs["Index"])
        seen = next(s for s in sample.outputs if s.enabled)
        total = math("MULTIPLY_ADD", seen, named(share, "FLOAT"), total)
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

"""Bad stretches show: the body's colours follow the confidence, frame by frame."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import numpy.typing as npt
import pytest

from kinelift.core.colours import HIGH, LOW, MIDDLING
from kinelift.core.mannequin import mannequin
from kinelift.core.skeleton import JOINTS
from kinelift.rig.body import add_body
from kinelift.rig.confidence import ATTRIBUTE, hide_confidence, show_confidence, shows_confidence
from kinelift.rig.scene import build_scene
from kinelift.tests.motions import random_capture


def colours(body: bpy.types.Object) -> npt.NDArray[np.float64]:
    """Scene-linear RGB (V, 3) of the evaluated mesh."""
    data = body.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    flat = np.empty(4 * len(data.vertices), np.float32)
    data.color_attributes[ATTRIBUTE].data.foreach_get("color", flat)
    return np.asarray(flat.reshape(-1, 4)[:, :3], dtype=float)


@pytest.mark.parametrize("double", [False, True])
def test_colours_follow_the_confidence(double: bool) -> None:
    capture = random_capture(8)
    confidence = np.random.default_rng(0).uniform(0, 1, (8, len(JOINTS)))
    capture = replace(capture, confidence=confidence)
    body = add_body(build_scene(capture, "clip"))
    scene = bpy.context.scene
    if double:
        scene.render.fps *= 2
    show_confidence(body, capture, scene)
    show_confidence(body, capture, scene)  # again: still one
    assert [m.type for m in body.modifiers] == ["ARMATURE", "NODES"]
    weights = mannequin(capture.motion.offsets).weights
    for index in (0, 3, 7):
        scene.frame_set(1 + index * (2 if double else 1))
        seen = weights @ confidence[index]
        stops = ((np.array([LOW, MIDDLING, HIGH]) / 255) ** 2.2).T
        expected = np.stack([np.interp(seen, [0, 0.5, 1], channel) for channel in stops], -1)
        np.testing.assert_allclose(colours(body), expected, atol=2e-3)
    scene.frame_set(500)
    assert np.isfinite(colours(body)).all()


def test_a_limb_that_is_uncertain_in_depth_is_not_green() -> None:
    """Although it was seen, and lies where it was seen."""
    capture = random_capture(4)
    capture = replace(capture, confidence=np.ones_like(capture.confidence))
    arm = [JOINTS.index(name) for name in ("forearm.L", "hand.L")]
    spread = np.full_like(capture.turn_spread, np.radians(4))
    spread[2, arm] = np.radians(30)
    capture = replace(capture, turn_spread=spread)
    body = add_body(build_scene(capture, "clip"))
    show_confidence(body, capture, bpy.context.scene)
    of_arm = mannequin(capture.motion.offsets).weights[:, arm].sum(axis=1) > 0.999
    green, red = ((np.array(colour) / 255) ** 2.2 for colour in (HIGH, LOW))
    for index, colour in ((1, green), (2, red), (3, green)):
        bpy.context.scene.frame_set(1 + index)
        shown = colours(body)
        np.testing.assert_allclose(shown[of_arm], np.tile(colour, (of_arm.sum(), 1)), atol=2e-3)
        far = mannequin(capture.motion.offsets).weights[:, arm].sum(axis=1) == 0
        np.testing.assert_allclose(shown[far], np.tile(green, (far.sum(), 1)), atol=2e-3)


class Shading:
    """A viewport's, which the module without a window has none of."""

    color_type = "RANDOM"


@pytest.mark.parametrize("painted", [False, True])
def test_hiding_gives_back_what_was_there(painted: bool) -> None:
    capture = random_capture(8)
    body = add_body(build_scene(capture, "clip"))
    if painted:
        for name in ("Mine", "Rendered"):
            body.data.color_attributes.new(name, "BYTE_COLOR", "CORNER")
        body.data.color_attributes.active_color_name = "Mine"
        body.data.color_attributes.render_color_index = 1

    def state() -> object:
        colours = body.data.color_attributes
        kinds = ("objects", "meshes", "node_groups")
        return (
            [m.type for m in body.modifiers], [a.name for a in body.data.attributes], sorted(body.keys()),
            colours.active_color_name if painted else "", colours.render_color_index if painted else 0,
            [sorted(one.name for one in getattr(bpy.data, kind)) for kind in kinds], shading.color_type,
        )  # fmt: skip

    shading = Shading()
    before = state()
    for _ in range(2):
        show_confidence(body, capture, bpy.context.scene, shading)
        assert shows_confidence(body) and shading.color_type == "VERTEX" and state() != before
    hide_confidence(body, shading)
    assert not shows_confidence(body) and state() == before
    show_confidence(body, capture, bpy.context.scene, shading)
    shading.color_type = "SINGLE"
    hide_confidence(body, shading)
    assert shading.color_type == "SINGLE"  # the artist's own choice

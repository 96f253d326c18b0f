"""Every test of `rig` begins with an empty file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt
import pytest

from kinelift.core.skeleton import JOINTS
from kinelift.rig.versions import mend_context


@pytest.fixture(autouse=True)
def empty_file() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    mend_context()


@pytest.fixture
def heads() -> Callable[[bpy.types.Object, Iterable[int]], npt.NDArray[np.float64]]:
    """World positions (frames, J, 3) of the evaluated pose bones' heads."""

    def read(armature: bpy.types.Object, frames: Iterable[int]) -> npt.NDArray[np.float64]:
        out = []
        for frame in frames:
            bpy.context.scene.frame_set(frame)
            posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
            out.append([posed.matrix_world @ posed.pose.bones[name].head for name in JOINTS])
        return np.array(out)

    return read


@pytest.fixture
def curves() -> Callable[[bpy.types.Object], dict[tuple[str, int], Any]]:
    """F-curves of an object's action by data path and index."""

    def read(owner: bpy.types.Object) -> dict[tuple[str, int], Any]:
        action = owner.animation_data.action
        if hasattr(action, "slots"):
            found = action.layers[0].strips[0].channelbag(owner.animation_data.action_slot).fcurves
        else:
            found = action.fcurves
        return {(curve.data_path, curve.array_index): curve for curve in found}

    return read

"""How exactly and how fast motion is retargeted to each rig, with pictures of source and target.

    python -m bench.retarget [--rigs FOLDER] [--clips BVH...] [--frames N] [--capture VIDEO] [--out FOLDER]

The rigs are those of --rigs, and a Rigify rig that the run generates. Blender evaluates them, and the figures
are: the directions of upper arms, forearms, thighs and shins against the source's; the facing of hips, chest
and head; how far heels and balls slide along the floor while they stand; how far the lowest of them goes
under it (against their heights in the rest pose). Into --out go retarget.md, retarget.json, and a contact
sheet for each rig and sequence.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import bpy
import cv2
import numpy as np

from kinelift.core.bvh import read_bvh
from kinelift.core.contacts import keep_long
from kinelift.core.foot_ik import clean_up
from kinelift.core.kinematics import joint_positions
from kinelift.core.motion import Motion
from kinelift.core.options import CleanUp, RetargetSettings
from kinelift.core.rotations import quaternion_from_matrix
from kinelift.core.skeleton import INDEX, JOINTS, PARENTS, lengths_of, rest_offsets
from kinelift.rig.retarget.apply import retarget
from kinelift.rig.retarget.bones import body_frame, read_rig
from kinelift.rig.retarget.character import load_character
from kinelift.rig.retarget.mapping import find_bone_map
from kinelift.rig.retarget.source import perform_motion
from kinelift.rig.retarget.tpose import read_body

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
CLIPS = ("iclone_001_08.bvh", "papagina_salsa_05.bvh", "papagina_martial_04.bvh")
#: joint at the other end of each limb
ENDS = {"upper_arm": "forearm", "forearm": "hand", "thigh": "shin", "shin": "foot"}
#: height below which a slow point is in contact, metres: the mocap has no contacts
_LOW = 0.035
#: speed below which a low point is in contact, m/s
_SLOW = 0.3
#: pictures of a sheet
_PICTURES = 8
#: size of a picture, pixels
_TILE = (300, 360)


@dataclass
class Row:
    """The figures of a rig and a sequence."""

    rig: str
    map: str
    clip: str
    limbs_mean: float
    limbs_max: float
    facing_max: float
    slide_mean: float
    slide_max: float
    floor: float
    seconds: float


def load_clip(path: Path, frames: int) -> Motion:
    """A mocap sequence on Kinelift's skeleton, with contacts and planted feet like a capture."""
    bvh = read_bvh(path)
    order = [bvh.names.index(joint) for joint in JOINTS]
    count = min(frames, len(bvh.root))
    motion = Motion(
        fps=bvh.fps, start=0.0, offsets=rest_offsets(lengths_of(bvh.offsets[order])), root=bvh.root[:count],
        rotations=quaternion_from_matrix(bvh.rotations[:count, order]), contacts=np.zeros((count, 4)),
    )  # fmt: skip
    points = motion.sole_points()
    height = motion.sole_heights()
    floor = np.percentile(height.min(axis=1), 5)
    speed = np.linalg.norm(np.gradient(points, axis=0), axis=-1) * motion.fps
    on = (height - floor < _LOW) & (speed < _SLOW)
    shortest = CleanUp().minimum * motion.fps
    on = keep_long(~keep_long(~on, shortest), shortest)
    return clean_up(replace(motion, root=motion.root - [0, 0, floor], contacts=on.astype(float)), CleanUp())


def generate_rigify() -> Any:
    """A Rigify rig in the current file."""
    import addon_utils

    if "rigify" not in bpy.context.preferences.addons:
        addon_utils.enable("rigify", default_set=True)
    bpy.ops.object.armature_human_metarig_add()
    bpy.ops.pose.rigify_generate()
    return bpy.context.object


def evaluated(target: Any, bones: dict[str, str], frames: Any) -> tuple[Any, Any]:
    """World positions (N, 3) and rotations (N, 3, 3) by joint, evaluated by Blender."""
    places: dict[str, list[Any]] = {joint: [] for joint in bones}
    turns: dict[str, list[Any]] = {joint: [] for joint in bones}
    for frame in frames:
        bpy.context.scene.frame_set(int(frame))
        posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get())
        for joint, bone in bones.items():
            matrix = posed.matrix_world @ posed.pose.bones[bone].matrix
            places[joint].append(matrix.translation)
            turns[joint].append(matrix.to_3x3().normalized())
    return (
        {joint: np.array(place) for joint, place in places.items()},
        {joint: np.array(turn) for joint, turn in turns.items()},
    )


def angle_between(a: Any, b: Any) -> Any:
    """Degrees (N,) between directions (N, 3)."""
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(axis=1)))


def measure(name: str, clip: str, motion: Motion, target: Any, sheet: Path) -> Row:
    """Retarget, and compare with the source."""
    rig = read_rig(target)
    bone_map = find_bone_map(rig, target.data)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = round(motion.fps), 1.0
    performance = perform_motion(motion, scene.render.fps)
    began = time.perf_counter()
    result = retarget(performance, target, bone_map, RetargetSettings(), clip)
    seconds = time.perf_counter() - began
    for warning in result.warnings:
        print(f"{name}: {warning}")
    bones = {joint: bone for joint, bone in bone_map.bones.items() if joint in INDEX}
    places, turns = evaluated(target, bones, performance.frames)
    truth = joint_positions(performance.world, performance.root, performance.offsets)
    limbs = []
    for limb, end in ENDS.items():
        for side in "LR":
            a, b = f"{limb}.{side}", f"{end}.{side}"
            if a in bones and b in bones:
                limbs.append(angle_between(places[b] - places[a], truth[:, INDEX[b]] - truth[:, INDEX[a]]))
    frame = body_frame(rig, {joint: rig.index[bone] for joint, bone in bones.items()})
    facing = []
    for joint in ("hips", "chest", "head"):
        if joint in bones:
            rest = rig.turn @ rig.rest[rig.index[bones[joint]], :3, :3]
            away = turns[joint] @ rest.T @ frame.T
            facing.append(angle_between(away[:, :, 1], performance.world[:, INDEX[joint], :, 1]))
    # heels and balls, each against the height at which it stands in the rest pose
    body = read_body(rig, {j: rig.index[b] for j, b in bones.items()}, performance.offsets)
    slides, low = [], 0.0
    for column in range(4):
        side, by_ball = "LR"[column // 2], column % 2
        sole, foot = body.soles[column // 2], f"foot.{side}"
        if foot not in bones:
            continue
        rest = rig.turn @ rig.rest[rig.index[bones[foot]], :3, :3]
        flat = body.align[INDEX[foot]] @ frame
        turned = turns[foot] @ rest.T @ flat.T
        point = places[foot] + turned @ (sole.ball if by_ball else sole.heel)
        low = min(low, float((point[:, 2] - body.floor).min()) - (sole.ball_height if by_ball else 0.0))
        on = performance.contacts[:, column]
        steps = np.linalg.norm(np.diff(point[:, :2], axis=0), axis=1)
        slides.append(steps[on[1:] & on[:-1]])
    slide = np.concatenate([*slides, []]) * 1000
    angles, turned = np.concatenate(limbs), np.concatenate(facing)
    draw_sheet(target, bones, performance, truth, sheet)
    return Row(
        name, bone_map.name, clip, float(angles.mean()), float(angles.max()), float(turned.max()),
        float(slide.mean()) if len(slide) else 0.0, float(slide.max()) if len(slide) else 0.0,
        -1000 * low, 1000 * seconds / len(performance.frames),
    )  # fmt: skip


def sticks(name: str, places: dict[str, Any], size: float) -> Any:
    """An object of rods between the joints' positions (3,)."""
    from mathutils import Vector

    vertices: list[Any] = []
    faces: list[Any] = []
    for joint, place in places.items():
        parent = PARENTS[INDEX[joint]]
        while parent >= 0 and JOINTS[parent] not in places:
            parent = PARENTS[parent]
        if parent < 0:
            continue
        start, end = Vector(places[JOINTS[parent]]), Vector(place)
        if (end - start).length < 1e-6:
            continue
        turn = (end - start).to_track_quat("Z", "Y")
        base = len(vertices)
        for at, thick in ((start, 0.6), (start.lerp(end, 0.25), 1.6), (end, 0.5)):
            for x, y in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
                vertices.append(at + turn @ Vector((x * 0.02 * thick * size, y * 0.02 * thick * size, 0)))
        for ring in (0, 4):
            for i in range(4):
                j = (i + 1) % 4
                faces.append([base + ring + k for k in (i, j, 4 + j, 4 + i)])
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, [], faces)
    ink = bpy.data.materials.get("Ink") or bpy.data.materials.new("Ink")
    ink.diffuse_color = (0.02, 0.05, 0.2, 1)
    ink.use_nodes = True
    ink.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = ink.diffuse_color
    mesh.materials.append(ink)
    return bpy.data.objects.new(name, mesh)


def draw_sheet(target: Any, bones: dict[str, str], performance: Any, truth: Any, path: Path) -> None:
    """Draw source (rods, left) and target (right) at some frames into one picture."""
    from mathutils import Vector

    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", 6, False
    scene.render.resolution_x, scene.render.resolution_y = _TILE
    scene.render.resolution_percentage = 100
    scene.world = scene.world or bpy.data.worlds.new("World")
    if scene.camera is None:
        sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
        sun.data.energy, sun.rotation_euler = 4.0, (0.6, -0.3, -0.5)
        scene.collection.objects.link(sun)
        camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
        camera.data.type = "ORTHO"
        scene.collection.objects.link(camera)
        scene.camera = camera
        floor = bpy.data.meshes.new("Floor")
        floor.from_pydata([(-20, -20, 0), (20, -20, 0), (20, 20, 0), (-20, 20, 0)], [], [(0, 1, 2, 3)])
        scene.collection.objects.link(bpy.data.objects.new("Floor", floor))
    scale = float(np.linalg.norm(performance.offsets[INDEX["shin.L"]]))
    meshes = [o for o in bpy.data.objects if o.type == "MESH" and o.find_armature() == target]
    for other in bpy.data.objects:
        other.hide_render = other.type == "MESH" and other not in meshes and other.name != "Floor"
    tiles = []
    size = 1.0
    for place in np.linspace(0, len(performance.frames) - 1, _PICTURES).astype(int):
        scene.frame_set(int(performance.frames[place]))
        posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get())
        mine = {
            joint: np.array(posed.matrix_world @ posed.pose.bones[bone].head) for joint, bone in bones.items()
        }
        leg = np.linalg.norm(mine["shin.L"] - mine["thigh.L"]) + np.linalg.norm(
            mine["foot.L"] - mine["shin.L"]
        )
        size = float(leg / (2 * scale))
        middle = (mine["thigh.L"] + mine["thigh.R"]) / 2
        shift = np.array([middle[0], middle[1], 0]) - size * truth[place].mean(axis=0) * [1, 1, 0]
        azimuth = np.radians(25)
        across = np.array([np.cos(azimuth), np.sin(azimuth), 0])
        theirs = {j: size * truth[place, i] + shift - 1.1 * size * across for i, j in enumerate(JOINTS)}
        made = [sticks("Source", theirs, size)]
        if not meshes:
            made.append(sticks("Target", mine, size))
        for figure in made:
            scene.collection.objects.link(figure)
        back = Vector((np.sin(azimuth), -np.cos(azimuth), 0.12)).normalized()
        aim = Vector(middle) - Vector(across) * 0.55 * size
        aim.z = max(0.85 * size, middle[2])
        scene.camera.location = aim + back * 8
        scene.camera.rotation_euler = back.to_track_quat("Z", "Y").to_euler()
        scene.camera.data.ortho_scale = 3.2 * size
        scene.render.filepath = str(path.with_suffix(".tile.png"))
        bpy.ops.render.render(write_still=True)
        tiles.append(cv2.imread(scene.render.filepath))
        for figure in made:
            bpy.data.objects.remove(figure)
    path.with_suffix(".tile.png").unlink()
    half = _PICTURES // 2
    cv2.imwrite(str(path), np.vstack([np.hstack(tiles[:half]), np.hstack(tiles[half:])]))


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rigs", type=Path, default=SHARED / "rigs")
    parser.add_argument("--clips", type=Path, nargs="*", default=[SHARED / "mocap/test" / c for c in CLIPS])
    parser.add_argument("--frames", type=int, default=240, help="of each clip")
    parser.add_argument("--capture", type=Path, default=ROOT / "samples/walk_front.mp4")
    parser.add_argument("--out", type=Path, default=Path("out/retarget"))
    args = parser.parse_args()

    logging.disable(logging.INFO)
    motions = {path.stem: load_clip(path, args.frames) for path in args.clips}
    if args.capture.is_file():
        from kinelift.core.options import Settings
        from kinelift.inference.pipeline import capture

        motions["capture"] = clean_up(capture(args.capture, Settings()).motion, CleanUp())
    args.out.mkdir(parents=True, exist_ok=True)
    out = args.out.absolute()
    rows = []
    files = sorted(p for p in args.rigs.iterdir() if p.suffix in (".blend", ".fbx", ".glb", ".vrm"))
    for rig in [*files, None]:
        name = rig.stem if rig is not None else "rigify_generated"
        for clip, motion in motions.items():
            bpy.ops.wm.read_factory_settings(use_empty=True)
            target = load_character(rig) if rig is not None else generate_rigify()
            rows.append(measure(name, clip, motion, target, out / f"{name}-{clip}.png"))
            print(rows[-1], flush=True)
    lines = [
        "| rig | bone map | clip | limbs mean, max (deg) | facing max (deg) | slide mean, max (mm/frame) "
        "| under the floor (mm) | s / 1000 frames |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        lines.append(
            f"| {r.rig} | {r.map} | {r.clip} | {r.limbs_mean:.2f}, {r.limbs_max:.1f} | {r.facing_max:.2f} "
            f"| {r.slide_mean:.2f}, {r.slide_max:.2f} | {r.floor:.0f} | {r.seconds:.2f} |"
        )
    text = "\n".join(lines) + "\n"
    (out / "retarget.md").write_text(text, encoding="utf-8")
    (out / "retarget.json").write_text(
        json.dumps([asdict(r) for r in rows], indent=1) + "\n", encoding="utf-8"
    )
    print(text)
    sys.stdout.flush()
    os._exit(0)  # bpy 4.5 would hang at the interpreter's exit


if __name__ == "__main__":
    main()

"""How well people are found and followed in footage, before anything is lifted.

    python -m bench.footage [FOLDER...] [--only NAME...] [--quality NAME] [--out FOLDER]

FOLDERs, and those in them, hold videos; where a reference .npz of the same name lies beside one, with the
camera in it, the truth in the picture is known. By default: videos, cases and bench of ../shared, else the
sample. Tables are grouped (by folder, those of real footage with truth by the first word of their name),
because what helps one group can hurt another. A clip that can't be read has a sentence in its row.

    found       frames in which the person was found, %
    gap         the longest stretch in which the person wasn't, seconds
    swapped     of the frames with truth: arms, legs or both have left and right exchanged, %
    elsewhere   of the frames with truth: the torso isn't where the person's is (somebody else, a thing), %
    error       mean distance of the 12 limb landmarks from the true joints, % of the person's height. Some
                of it stays in any case: a landmark isn't quite the joint of its name
    ms/frame    decoding, detecting and tracking

Swaps are those that are left after tracking has repaired some. Into --out goes a contact sheet for each clip:
the landmarks' skeleton, left orange, right blue, and thin where the detector doubts.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kinelift.bench.detections import PEOPLE, ROOT, default_clips, group_of
from kinelift.bench.sheets import landmark_sheet
from kinelift.core.arrays import Bools, Floats
from kinelift.core.clips import VIDEO_ENDINGS
from kinelift.core.contacts import runs
from kinelift.core.errors import CaptureError
from kinelift.core.landmarks import LANDMARK, MIRRORED, PLACES
from kinelift.core.options import Settings
from kinelift.core.skeleton import LENGTHS, STANDARD_HEIGHT, TEMPLATE_LENGTHS
from kinelift.inference.detect.detector import detect
from kinelift.inference.track import Track, track
from kinelift.inference.video import VideoReader

Figures = dict[str, float | None]

#: landmarks of the arms and of the legs, without sides
_ARMS, _LEGS = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")
#: landmarks that are compared with the truth
COMPARED = tuple(LANDMARK[f"{name}.{side}"] for name in (*_ARMS, *_LEGS) for side in "LR")
#: the joint at which each of them lies
JOINTS_COMPARED = tuple(PLACES[landmark][0] for landmark in COMPARED)
#: for each of them, which of them it is in a mirror
_OTHERS = [COMPARED.index(MIRRORED[landmark]) for landmark in COMPARED]
#: of them, shoulders and hips
_TORSO = [i for i, name in enumerate(JOINTS_COMPARED) if name.startswith(("upper_arm", "thigh"))]
#: arms or legs are swapped if they are nearer to the truth by this when exchanged, of the person's height
_CLEARLY = 0.03
#: a torso whose middle is farther than this from the true one is elsewhere, of the person's height
_ELSEWHERE = 0.2
#: columns: figure, heading, decimals
COLUMNS = (
    ("frames", "frames", 0),
    ("found", "found %", 1),
    ("gap", "gap s", 2),
    ("swapped", "swapped %", 1),
    ("elsewhere", "elsewhere %", 1),
    ("error", "error %", 2),
    ("ms", "ms/frame", 0),
)
#: moments on a contact sheet
_MOMENTS = 12


@dataclass(frozen=True)
class Truth:
    """Where the joints are in the picture.

    Attributes
    ----------
    fps : float
    pixels : (T, 12, 2)
        Of the joints `JOINTS_COMPARED`; NaN where one isn't known.
    height : (T,)
        How high the person would be standing upright at that distance, pixels.
    """

    fps: float
    pixels: Floats
    height: Floats

    def at(self, fps: float, count: int) -> Truth:
        """The truth of `count` frames at another rate; NaN beyond its end."""
        wanted = np.round(np.arange(count) * self.fps / fps).astype(int)
        inside = wanted < len(self.pixels)
        pixels, height = np.full((count, *self.pixels.shape[1:]), np.nan), np.full(count, np.nan)
        pixels[inside], height[inside] = self.pixels[wanted[inside]], self.height[wanted[inside]]
        return Truth(fps, pixels, height)


def read_truth(reference: Path, size: tuple[int, int]) -> Truth | None:
    """The truth in a reference .npz, for a picture of `size` (w, h); None if it doesn't know the camera."""
    with np.load(reference, allow_pickle=False) as data:
        if "K" not in data.files:
            return None
        d = dict(data)
    names = [str(n) for n in d["joint_names"]]
    world = d["joints_world"][:, [names.index(n) for n in JOINTS_COMPARED]].astype(float)
    lens, pose = d["K"].astype(float), d["camera_from_world"].astype(float)
    seen = world @ pose[:3, :3].T + pose[:3, 3]
    if "joints_px" in d:
        pixels = d["joints_px"][:, [names.index(n) for n in JOINTS_COMPARED]].astype(float)
    else:
        bent = d["distortion"].astype(float) if "distortion" in d else np.zeros(4)
        flat, _ = cv2.projectPoints(seen.reshape(-1, 3), np.zeros(3), np.zeros(3), lens, bent)
        pixels = np.asarray(flat, dtype=float).reshape(*seen.shape[:2], 2)
    scale = np.array(size) / d["size"]
    tall = float(d["person_height"]) if "person_height" in d else height_by_legs(world)
    depth = np.nanmean(seen[..., 2], axis=1)
    return Truth(float(d["fps"]), pixels * scale, tall * lens[1, 1] / depth * scale[1])


def height_by_legs(joints: Floats) -> float:
    """The height of a person of usual proportions whose legs have the length of these `joints` (T, 12, 3)."""
    at = {name: joints[:, i] for i, name in enumerate(JOINTS_COMPARED)}
    own = [
        np.nanmedian(np.linalg.norm(at[f"{a}.{side}"] - at[f"{b}.{side}"], axis=-1))
        for side in "LR"
        for a, b in (("thigh", "shin"), ("shin", "foot"))
    ]
    usual = sum(TEMPLATE_LENGTHS[LENGTHS.index(name)] for name in ("shin", "foot"))
    return float(sum(own) / 2 / usual * STANDARD_HEIGHT)


def off_truth(landmarks: Floats, truth: Truth) -> tuple[Floats, Bools, Bools]:
    """How far the landmarks are from the truth, and where that is because they are another's.

    Parameters
    ----------
    landmarks : (T, 33, 2 or more)
        Pixels; NaN where nobody was found.
    truth : Truth
        Of the same T frames.

    Returns
    -------
    error : (T,)
        Mean distance, as a share of the person's height; NaN where either isn't known.
    swapped : (T,) bool
        Whether the arms or the legs are clearly nearer to the truth with left and right exchanged.
    elsewhere : (T,) bool
        Whether the torso isn't where the person's is. Such frames don't count as swapped.
    """
    own = landmarks[:, COMPARED, :2]
    off, exchanged = (
        np.linalg.norm(points - truth.pixels, axis=-1) / truth.height[:, None]
        for points in (own, own[:, _OTHERS])
    )
    middle = np.linalg.norm((own - truth.pixels)[:, _TORSO].mean(1), axis=-1) / truth.height
    elsewhere = np.nan_to_num(middle) > _ELSEWHERE
    arms = 2 * len(_ARMS)
    better = [np.nan_to_num((off - exchanged)[:, part].mean(1)) for part in (slice(arms), slice(arms, None))]
    return off.mean(1), (np.maximum(*better) > _CLEARLY) & ~elsewhere, elsewhere


def longest_gap(found: Bools) -> int:
    """Length of the longest run of false, frames."""
    first, last = runs(~found)
    return int((last - first).max(initial=0))


def measure(video: Path, quality: str, out: Path | None) -> Figures:
    """Figures of one clip; draws its contact sheet into `out`.

    Raises
    ------
    CaptureError
        If the video can't be read, or nobody is found in it.
    """
    began = time.perf_counter()
    reader = VideoReader(video)
    person = track(detect(reader, quality=quality), PEOPLE.get(video.stem, Settings.person))
    seconds = time.perf_counter() - began
    count, found = len(person.found), person.found
    figures: Figures = {
        "frames": count,
        "found": 100 * float(found.mean()),
        "gap": longest_gap(found) / reader.fps,
        "ms": 1000 * seconds / count,
    }
    reference = video.with_suffix(".npz")
    truth = read_truth(reference, reader.size) if reference.exists() else None
    notes = np.where(found, "", "not found")
    if truth is not None:
        landmarks = np.where(found[:, None, None], person.landmarks.astype(float), np.nan)
        error, swapped, elsewhere = off_truth(landmarks, truth.at(reader.fps, count))
        known = np.isfinite(error)
        if known.any():
            figures["swapped"], figures["elsewhere"], figures["error"] = (
                100 * float(x[known].mean()) for x in (swapped, elsewhere, error)
            )
        notes = np.where(elsewhere, "elsewhere", np.where(swapped, "swapped", notes))
    if out is not None:
        _draw(reader, person, [str(n) for n in notes], out / f"{video.stem}.jpg")
    return figures


def _draw(reader: VideoReader, person: Track, notes: list[str], out: Path) -> None:
    moments = np.linspace(0, len(notes) - 1, _MOMENTS).round().astype(int)
    pictures = {f.index: f.image for f in reader if f.index in moments}
    shown = [t for t in moments.tolist() if t in pictures]
    landmarks = np.where(person.found[:, None, None], person.landmarks, np.nan)
    scale = [pictures[t].shape[1] / reader.size[0] for t in shown]
    landmarks = landmarks[shown] * np.stack([(s, s, 1.0) for s in scale])[:, None]
    captions = [f"{t / reader.fps:.1f} s {notes[t]}" for t in shown]
    landmark_sheet([pictures[t] for t in shown], landmarks, captions, out)


def default_folders() -> list[Path]:
    """The folders of footage beside the checkout that are there, and those of the benchmark clips."""
    shared = ROOT.parent / "shared"
    return [default_clips(), *(f for f in (shared / "videos", shared / "cases") if f.is_dir())]


def row(name: str, figures: Figures) -> str:
    """A row of the table."""
    cells = [
        "–" if (value := figures.get(figure)) is None else f"{value:.{decimals}f}"
        for figure, _, decimals in COLUMNS
    ]
    return f"| {name} | " + " | ".join(cells) + " |"


def mean(results: list[Figures]) -> Figures:
    """Mean figures of some clips; a clip that lacks a figure doesn't count for it."""
    known = {figure: [v for r in results if (v := r.get(figure)) is not None] for figure, _, _ in COLUMNS}
    return {figure: float(np.mean(values)) for figure, values in known.items() if values}


def main() -> None:
    """Measure, print the tables and draw the sheets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these clips")
    parser.add_argument("--quality", default=Settings.quality, help="see the capture's option")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for the contact sheets")
    args = parser.parse_args()

    groups: dict[str, list[Path]] = {}
    for folder in args.folders or default_folders():
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in VIDEO_ENDINGS and (not args.only or path.stem in args.only):
                groups.setdefault(group_of(path), []).append(path)
    if not groups:
        parser.error("there is no such video in these folders")
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
    for group, videos in groups.items():
        headings = " | ".join(heading for _, heading, _ in COLUMNS)
        print(f"\n| {group} | {headings} |\n|---" + "|---" * len(COLUMNS) + "|", flush=True)
        results = []
        for video in videos:
            try:
                results.append(measure(video, args.quality, args.out))
            except CaptureError as error:
                print(f"| {video.stem} | {error} |" + " |" * (len(COLUMNS) - 1), flush=True)
                continue
            print(row(video.stem, results[-1]), flush=True)
        if len(results) > 1:
            print(row(f"mean of {group}", mean(results)), flush=True)


if __name__ == "__main__":
    main()

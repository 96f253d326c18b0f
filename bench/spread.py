"""How far off landmarks are, against how far off they are said to be: their spread.

    python -m bench.spread [FOLDER...] [--films N] [--quality NAME] [--out FILE.svg]
    python -m bench.spread --calibrate N

FOLDERs, and those in them, hold videos with a reference .npz of the same name that knows the camera; by
default the benchmark clips. Besides, N films are drawn of bodies that move as the mocap for tests does, and
as rules say. --calibrate prints what `inference.blazepose.heat.ERROR` ought to be: half-way between what fits
N films of the mocap for training and what fits every second rendered clip. Those clips are left out of the
table and of the picture.

On films and rendered clips the truth is where each of the 33 landmarks lies on the body; filmed clips know 12
joints, which err themselves, and a landmark isn't quite the joint of its name. Landmarks outside of the
picture don't count, nor do frames in which somebody else, or a thing, was taken for the person.

    landmarks   how many were compared
    spread      what is predicted: root mean square along one axis, % of the person's height
    error       what was found, likewise; a few large mistakes make it large
    68 %, 95 %  of the landmarks that are so near to the truth as 68.3 and 95.4 % should be
    elsewhere   frames that don't count, %

In the picture each group's landmarks are sorted by their predicted spread. Above it stands the spread that
would have been right: for 68.3 % of them (lines) and for 95.4 % (dots).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from kinelift.bench.detections import PEOPLE, ROOT, default_clips, group_of
from kinelift.bench.footage import COMPARED, read_truth
from kinelift.core.arrays import Array, Floats
from kinelift.core.clips import VIDEO_ENDINGS
from kinelift.core.files import replacing
from kinelift.core.landmarks import LANDMARKS, PLACES, landmarks_on
from kinelift.core.options import Settings
from kinelift.core.skeleton import STANDARD_HEIGHT, standing_height
from kinelift.inference.blazepose.heat import ERROR
from kinelift.inference.detect.detector import detect
from kinelift.inference.detect.people import Detections
from kinelift.inference.track import track
from kinelift.inference.video import VideoReader
from kinelift.training.detected import as_sequence, perfect, rays_through
from kinelift.training.film import Film, filmed
from kinelift.training.mocap import load_mocap
from kinelift.training.poses import made_sequences
from kinelift.training.scene import draw_scene
from kinelift.training.synthesis import Synthesis

#: squared distances, in spreads, within which 68.3 and 95.4 % of a normal distribution in a plane lie
WITHIN = (2.296, 6.180)
#: a mean distance from the truth that isn't the person's, of their height
_ELSEWHERE = 0.1
#: frames of a film
_FRAMES = 30
#: pictures of films are so many times as large as those that training draws
_LARGER = 2
#: sequences made by rule (`training.poses`) of each kind, among the mocap
_MADE = 6
#: points of a group in the picture
_POINTS = 8
#: a point stands for at least so many landmarks
_ENOUGH = 200
#: every second clip of this group is fitted on
_FITTED = "rendered"
_PLACEMENT = np.array([place for _, _, place in PLACES])
_COLOURS = ("#3278c8", "#e08a1e", "#3c9a5f", "#8a5fb0", "#c0504d", "#777777")


@dataclass(frozen=True)
class Errors:
    """Errors of landmarks, and what was said of them.

    Attributes
    ----------
    landmark : (N,)
        Which of `LANDMARKS` each is.
    off : (N, 2)
        From the truth, shares of the person's height.
    spread : (N, 3)
        xx, xy, yy, of the height squared.
    frames, elsewhere : int
        How many frames with truth there were, and how many of them don't count.
    """

    landmark: Array
    off: Floats
    spread: Floats
    frames: int
    elsewhere: int

    @property
    def distances(self) -> Floats:
        """Squared distances (N,) from the truth, in spreads."""
        (x, y), (xx, xy, yy) = self.off.T, self.spread.T
        return np.asarray((yy * x**2 - 2 * xy * x * y + xx * y**2) / (xx * yy - xy**2))

    @property
    def wide(self) -> Floats:
        """The spreads (N,) along one axis."""
        return np.asarray(np.sqrt(self.spread[:, [0, 2]].mean(1)))


def errors_of(detections: Detections, person: str, truth: Floats, height: Floats) -> Errors:
    """Errors of one person's landmarks.

    Parameters
    ----------
    detections : Detections
    person : str
        See `Settings`.
    truth : (T, 33, 2)
        Where the landmarks are, pixels; NaN where that isn't known.
    height : (T,)
        How high the person would be standing upright at that distance, pixels.

    Raises
    ------
    CaptureError
        If nobody was found.
    """
    found = track(detections, person)
    count = min(len(truth), len(found.found))
    off = (found.landmarks[:count, :, :2] - truth[:count]) / height[:count, None, None]
    inside = [
        ((x >= 0) & (x < detections.size)).all(-1) for x in (truth[:count], found.landmarks[:count, :, :2])
    ]
    known = found.found[:count, None] & inside[0] & inside[1]
    away = np.where(known, np.linalg.norm(off, axis=-1), 0).sum(1) / np.maximum(known.sum(1), 1)
    there = known.any(1)
    elsewhere = there & (away > _ELSEWHERE)
    known &= ~elsewhere[:, None]
    spread = found.spread[:count] / height[:count, None, None] ** 2
    return Errors(
        np.nonzero(known)[1], off[known], spread[known].astype(float), int(there.sum()), int(elsewhere.sum())
    )


def together(parts: Iterable[Errors]) -> Errors:
    """The errors of several clips."""
    parts = list(parts)
    return Errors(
        np.concatenate([one.landmark for one in parts]),
        np.concatenate([one.off for one in parts]),
        np.concatenate([one.spread for one in parts]),
        sum(one.frames for one in parts),
        sum(one.elsewhere for one in parts),
    )


def clip_errors(video: Path, quality: str) -> Errors | None:
    """Errors in a clip with a reference; None if that doesn't know the camera.

    Raises
    ------
    CaptureError
        If the video can't be read, or nobody is found in it.
    """
    reader = VideoReader(video)
    truth = read_truth(video.with_suffix(".npz"), reader.size)
    if truth is None:
        return None
    truth = truth.at(reader.fps, reader.frames)
    places = _landmarks_in(video.with_suffix(".npz"))
    if places is None:
        places = np.full((len(truth.pixels), len(LANDMARKS), 2), np.nan)
        places[:, COMPARED] = truth.pixels
    person = PEOPLE.get(video.stem, Settings.person)
    return errors_of(detect(reader, quality=quality), person, places, truth.height)


def _landmarks_in(reference: Path) -> Floats | None:
    """Where the landmarks (T, 33, 2) of a rendered clip are; None if the reference has no rotations."""
    with np.load(reference, allow_pickle=False) as data:
        d = dict(data)
    if "joint_rotations" not in d:
        return None
    nothing = np.full((len(d["joints_world"]), len(LANDMARKS), 4), np.nan)
    d |= {"landmarks": nothing, "source": np.array("")}
    body = as_sequence(d)
    points = landmarks_on(body.joints, body.rotations, _PLACEMENT)
    return np.asarray(rays_through(points, points[..., 1:2]) * d["K"][0, 0] + d["K"][:2, 2])


def film_errors(mocap: Path, count: int, seed: int, quality: str) -> Iterator[Errors]:
    """Errors in `count` films of drawn bodies that move as the mocap in a folder does."""
    rng = np.random.default_rng(seed)
    everything = [*load_mocap(mocap), *made_sequences(_MADE, seed)]
    motions = Synthesis(everything, [], perfect(_PLACEMENT, _FRAMES), _FRAMES, 0.0, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(count):
            scene = draw_scene(motions, rng)
            size = (_LARGER * scene.size[0], _LARGER * scene.size[1])
            scene = replace(scene, focal=_LARGER * scene.focal, size=size)
            tall = float(standing_height(scene.lengths))
            points = landmarks_on(scene.joints, scene.rotations, _PLACEMENT * tall / STANDARD_HEIGHT)
            truth = rays_through(points, points[..., 1:2]) * scene.focal + np.array(size) / 2
            height = tall * scene.focal / points[..., 1].mean(1)
            detections = filmed(Film(scene, rng), Path(folder), quality)
            if any(detections.people):
                yield errors_of(detections, Settings.person, truth, height)


def calibrated(errors: Errors) -> dict[str, float]:
    """What `ERROR` ought to be for 68.3 % of each landmark's errors to lie within their spread."""
    kinds = np.array([name.split(".")[0] for name in LANDMARKS])[errors.landmark]
    shares = {kind: np.quantile(errors.distances[kinds == kind], 0.683) / WITHIN[0] for kind in ERROR}
    return {kind: float(ERROR[kind] * np.sqrt(share)) for kind, share in shares.items()}


def clips_of(folders: Iterable[Path]) -> tuple[dict[str, list[Path]], list[Path]]:
    """Videos with a reference by group, without those that are fitted on; and these."""
    groups: dict[str, list[Path]] = {}
    for folder in folders:
        for video in sorted(p for p in folder.rglob("*") if p.suffix.lower() in VIDEO_ENDINGS):
            if video.with_suffix(".npz").exists():
                groups.setdefault(group_of(video), []).append(video)
    fitted = groups.get(_FITTED, [])[::2]
    return {name: [one for one in some if one not in fitted] for name, some in groups.items()}, fitted


def some_errors(videos: Iterable[Path], quality: str) -> Errors | None:
    """Errors in clips; None if no reference knows the camera.

    Raises
    ------
    CaptureError
        If a video can't be read, or nobody is found in it.
    """
    found = [errors for video in videos if (errors := clip_errors(video, quality)) is not None]
    return together(found) if found else None


def row(name: str, errors: Errors) -> str:
    """A row of the table."""
    rms = [100 * float(np.sqrt((x**2).mean())) for x in (errors.wide, errors.off)]
    shares = [f"{100 * (errors.distances < most).mean():.1f}" for most in WITHIN]
    cells = [str(len(errors.off)), *(f"{x:.2f}" for x in rms), *shares]
    return f"| {name} | " + " | ".join(cells) + f" | {100 * errors.elsewhere / errors.frames:.1f} |"


def draw(groups: dict[str, Errors], path: Path) -> None:
    """Draw predicted spreads against those that would have been right, as an SVG file."""
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "kinelift", "font.size": 10}):
        figure = Figure(figsize=(6.4, 5.2), layout="constrained")
        axes = figure.add_subplot()
        ends = (0.2, 12)
        axes.plot(ends, ends, color="#aaaaaa", lw=1, zorder=0)
        for colour, (name, errors) in zip(_COLOURS, groups.items(), strict=False):
            order = np.argsort(errors.wide)
            parts = [part for part in np.array_split(order, _POINTS) if len(part) >= _ENOUGH]
            predicted = [100 * float(np.sqrt((errors.wide[part] ** 2).mean())) for part in parts]
            for share, most, style in zip((0.683, 0.954), WITHIN, ("o-", "."), strict=True):
                right = [np.sqrt(np.quantile(errors.distances[part], share) / most) for part in parts]
                axes.plot(
                    predicted, np.multiply(predicted, right), style, color=colour, ms=4, lw=1.4,
                    label=name if style == "o-" else None,
                )  # fmt: skip
        axes.set(
            xscale="log", yscale="log", xlim=ends, ylim=ends,
            xlabel="predicted spread, % of the person's height",
            ylabel="spread that would have been right, %",
        )  # fmt: skip
        ticks = [0.2, 0.5, 1, 2, 5, 10]
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
            axis.set_ticks([], minor=True)
        axes.legend(loc="upper left", frameon=False)
        with replacing(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})


def main() -> None:
    """Measure, print the table and draw the picture; or calibrate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--films", type=int, default=40, metavar="N")
    parser.add_argument("--calibrate", type=int, metavar="N")
    parser.add_argument(
        "--mocap", type=Path, default=ROOT.parent / "shared/mocap", help="folder of train and test"
    )
    parser.add_argument("--quality", default=Settings.quality, help="see the capture's option")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images/spread.svg")
    args = parser.parse_args()

    clips_by_group, fitted = clips_of(args.folders or [default_clips()])
    if args.calibrate:
        films = together(film_errors(args.mocap / "train", args.calibrate, 1, args.quality))
        clips = some_errors(fitted, args.quality)
        fits = [calibrated(errors) for errors in (films, clips) if errors is not None]
        print({kind: round(float(np.exp(np.mean([np.log(fit[kind]) for fit in fits]))), 4) for kind in ERROR})
        return
    print("| | landmarks | spread % | error % | 68 % | 95 % | elsewhere % |\n|---|---|---|---|---|---|---|")
    groups: dict[str, Errors] = {}
    if args.films:
        groups["films"] = together(film_errors(args.mocap / "test", args.films, 2, args.quality))
        print(row("films", groups["films"]), flush=True)
    for name, videos in clips_by_group.items():
        errors = some_errors(videos, args.quality)
        if errors is not None:
            groups[name] = errors
            print(row(name, errors), flush=True)
    draw(groups, args.out)
    print(f"\nDrawn: {args.out}")


if __name__ == "__main__":
    main()

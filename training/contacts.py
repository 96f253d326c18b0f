"""The weights by which `inference.contacts` decides: `python -m training contacts`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from inference.contacts import contact_features
from inference.kinematics import local_rotations
from inference.lift import bridge, joint_confidence, lift
from inference.lifters.lifter import LIFTER_FPS, Lifter
from inference.motion import Motion
from inference.rotations import quaternion_from_matrix
from inference.skeleton import rest_offsets
from inference.world import to_world

from .detected import Sequence

#: any focal length and picture will do: rays go in
_FOCAL, _SIZE = 1000.0, (1000, 1000)


def fit_contacts(sequences: list[Sequence], model: Lifter) -> npt.NDArray[Any]:
    """Logistic regression of true contacts on the features, by Newton's method.

    Parameters
    ----------
    sequences : list of Sequence
    model : Lifter

    Returns
    -------
    (5,)
        In the order of `inference.contacts.contact_features`.
    """
    x = np.concatenate([contact_features(lifted(s, model)).reshape(-1, 5) for s in sequences])
    y = np.concatenate([s.contacts.reshape(-1) for s in sequences]).astype(float)
    weights = np.zeros(x.shape[1])
    for _ in range(20):
        probability = 1 / (1 + np.exp(-x @ weights))
        slope = (probability * (1 - probability))[:, None] * x
        weights += np.linalg.solve(x.T @ slope + 1e-6 * np.eye(len(weights)), x.T @ (y - probability))
    return weights


def lifted(sequence: Sequence, model: Lifter) -> Motion:
    """What the lifter makes of a detected sequence, with its probabilities as contacts."""
    rays, confidence = bridge(sequence.rays, sequence.visibility)
    body = lift(rays, confidence, sequence.hint, LIFTER_FPS, model)
    rotations, root, camera = to_world(body, _FOCAL, _SIZE)
    pixels = rays * _FOCAL + camera.centre
    return Motion(
        fps=LIFTER_FPS,
        start=0.0,
        offsets=rest_offsets(body.lengths),
        rotations=quaternion_from_matrix(local_rotations(rotations)),
        root=root,
        contacts=body.contacts,
        confidence=joint_confidence(confidence),
        camera=camera,
        landmarks=np.concatenate([pixels, confidence[..., None]], axis=-1),
        world_landmarks=np.zeros((len(rays), 33, 3)),
    )

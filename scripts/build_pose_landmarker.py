"""Make the pose landmarkers' task files from models that MediaPipe publishes (Apache-2.0).

    pip download --no-deps mediapipe==0.10.21
    npm pack @mediapipe/pose@0.5.1675469404
    python scripts/build_pose_landmarker.py mediapipe-0.10.21-*.whl mediapipe-pose-*.tgz [--check]

The wheel has the detector of people and the full landmark model, the npm package the heavy one.

A task bundle is a stored zip of a detector and a landmark model. The published landmark models lack the range
of their input, which the Tasks interface requires, so this adds TFLite metadata (mean 0, deviation 255). The
result is the same to the bit on every machine; ``--check`` compares it with the files.
"""

from __future__ import annotations

import argparse
import io
import struct
import sys
import tarfile
import zipfile
from pathlib import Path

import flatbuffers  # type: ignore[import-untyped]
from mediapipe.tasks.metadata import metadata_schema_py_generated as schema

MODELS = Path(__file__).resolve().parent.parent / "inference/models"
#: where the models are in the wheel
DETECTOR = "mediapipe/modules/pose_detection/pose_detection.tflite"
FULL = "mediapipe/modules/pose_landmark/pose_landmark_full.tflite"
#: and in the npm package
HEAVY = "package/pose_landmark_heavy.tflite"

#: the field `buffers` of the table `Model` in TFLite's schema, by its index in the vtable
_BUFFERS = 4
#: the field `metadata`
_METADATA = 6
#: fields of the table
_MODEL_FIELDS = 8


def normalisation_metadata() -> bytes:
    """TFLite model metadata: the only input is divided by 255."""
    options = schema.NormalizationOptionsT()
    options.mean, options.std = [0.0], [255.0]
    unit = schema.ProcessUnitT()
    unit.optionsType, unit.options = schema.ProcessUnitOptions.NormalizationOptions, options
    image = schema.TensorMetadataT()
    image.name, image.processUnits = "image", [unit]
    graph = schema.SubGraphMetadataT()
    graph.inputTensorMetadata = [image]
    model = schema.ModelMetadataT()
    model.name, model.subgraphMetadata, model.minParserVersion = "pose_landmark_full", [graph], "1.0.0"
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"M001")
    return bytes(builder.Output())


def with_metadata(model: bytes, metadata: bytes) -> bytes:
    """The TFLite `model` with `metadata` in it.

    Offsets in a flatbuffer are relative and point forwards, so a new root table in front of the unaltered
    file may refer to everything in it: only the list of buffers and the list of metadata are written anew.
    """

    def u32(at: int) -> int:
        return int(struct.unpack_from("<I", model, at)[0])

    root = u32(0)
    vtable = root - int(struct.unpack_from("<i", model, root)[0])
    entries = (int(struct.unpack_from("<H", model, vtable)[0]) - 4) // 2

    def field(index: int) -> int:
        """Where in `model` the field lies (0: absent)."""
        offset = int(struct.unpack_from("<H", model, vtable + 4 + 2 * index)[0]) if index < entries else 0
        return root + offset if offset else 0

    def tables(index: int) -> list[int]:
        """Where the tables of a list lie."""
        if not (at := field(index)):
            return []
        at += u32(at)
        return [at + 4 + 4 * i + u32(at + 4 + 4 * i) for i in range(u32(at))]

    buffers, known = tables(_BUFFERS), tables(_METADATA)
    name = b"TFLITE_METADATA"

    # the new front, laid out by hand; every block starts at a multiple of 4
    at_vtable = 8
    at_root = at_vtable + 4 + 2 * _MODEL_FIELDS
    at_buffers = at_root + 4 + 4 * _MODEL_FIELDS
    at_known = at_buffers + 4 + 4 * (len(buffers) + 1)
    at_buffer_vtable = at_known + 4 + 4 * (len(known) + 1)
    at_buffer = at_buffer_vtable + 8
    at_entry_vtable = at_buffer + 8
    at_entry = at_entry_vtable + 8
    at_name = at_entry + 12
    at_data = -(-(at_name + 4 + len(name) + 1 + 4) // 16) * 16 - 4  # the bytes themselves are aligned to 16
    front = -(-(at_data + 4 + len(metadata)) // 16) * 16
    out = bytearray(front) + model

    def put(at: int, form: str, *values: int) -> None:
        struct.pack_into("<" + form, out, at, *values)

    put(0, "I", at_root)
    out[4:8] = model[4:8]
    put(at_vtable, "HH", 4 + 2 * _MODEL_FIELDS, 4 + 4 * _MODEL_FIELDS)
    put(at_root, "i", at_root - at_vtable)
    for index in range(_MODEL_FIELDS):
        slot = at_root + 4 + 4 * index
        if index in (_BUFFERS, _METADATA):
            target = at_buffers if index == _BUFFERS else at_known
        elif not (old := field(index)):
            continue
        elif index == 0:  # the version: a number, not an offset
            put(at_vtable + 4, "H", 4)
            put(slot, "I", u32(old))
            continue
        else:
            target = front + old + u32(old)
        put(at_vtable + 4 + 2 * index, "H", 4 + 4 * index)
        put(slot, "I", target - slot)
    for start, old_tables, new in ((at_buffers, buffers, at_buffer), (at_known, known, at_entry)):
        targets = [front + table for table in old_tables] + [new]
        put(start, "I", len(targets))
        for i, target in enumerate(targets):
            put(start + 4 + 4 * i, "I", target - (start + 4 + 4 * i))
    put(at_buffer_vtable, "HHH", 6, 8, 4)  # Buffer {data}
    put(at_buffer, "iI", at_buffer - at_buffer_vtable, at_data - (at_buffer + 4))
    put(at_entry_vtable, "HHHH", 8, 12, 4, 8)  # Metadata {name, buffer}
    put(at_entry, "iII", at_entry - at_entry_vtable, at_name - (at_entry + 4), len(buffers))
    put(at_name, "I", len(name))
    out[at_name + 4 : at_name + 4 + len(name)] = name
    put(at_data, "I", len(metadata))
    out[at_data + 4 : at_data + 4 + len(metadata)] = metadata
    return bytes(out)


def bundle(detector: bytes, landmarks: bytes) -> bytes:
    """The task file made from two models."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as out:
        for name, data in (
            ("pose_detector.tflite", detector),
            ("pose_landmarks_detector.tflite", with_metadata(landmarks, normalisation_metadata())),
        ):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            # an extra field pushes the model to a multiple of 16: it is used where it lies in the file
            padding = -(memory.tell() + 30 + len(name) + 4) % 16
            entry.extra = struct.pack("<HH", 0xD935, padding) + bytes(padding)
            out.writestr(entry, data)
    return memory.getvalue()


def bundles(wheel: Path, package: Path) -> dict[Path, bytes]:
    """The task files made from the models in the wheel and in the npm package."""
    with zipfile.ZipFile(wheel) as archive:
        detector, full = archive.read(DETECTOR), archive.read(FULL)
    with tarfile.open(package) as archive:
        heavy = archive.extractfile(HEAVY)
        assert heavy is not None
        with heavy:
            landmarks = {"full": full, "heavy": heavy.read()}
    return {
        MODELS / f"pose_landmarker_{name}.task": bundle(detector, data) for name, data in landmarks.items()
    }


def main() -> int:
    """Write the task files, or compare them with what the packages make."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path)
    parser.add_argument("package", type=Path)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    different = 0
    for path, data in bundles(arguments.wheel, arguments.package).items():
        if not arguments.check:
            path.write_bytes(data)
            continue
        same = path.is_file() and path.read_bytes() == data
        print(f"{path.name} {'is' if same else 'is NOT'} what the packages make")
        different += not same
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())

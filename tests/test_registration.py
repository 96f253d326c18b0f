"""What Blender reads of the classes that are registered."""

from typing import get_type_hints

import pytest

from kinelift.registration import CLASSES


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_blender_can_evaluate_every_annotation(cls: type) -> None:
    """It complains on the terminal of the one that it can't, and then knows no property of the class."""
    get_type_hints(cls)

"""Who of several characters plays whom."""

from __future__ import annotations

import pytest

from kinelift.rig.retarget.casting import cast


@pytest.mark.parametrize(
    ("people", "characters", "played"),
    [
        (["dance", "dance.person2"], ["Rig", "Hero"], {"Rig": "dance", "Hero": "dance.person2"}),
        (["anna", "ben"], ["RIG-Ben", "Anna_rig"], {"RIG-Ben": "ben", "Anna_rig": "anna"}),
        (["anna", "ben"], ["Benny", "Annabel"], {"Benny": "anna", "Annabel": "ben"}),
        (["anna", "ben"], ["Hero", "anna"], {"Hero": "ben", "anna": "anna"}),
        (["a", "a.person2"], ["x a.person2", "Rig"], {"x a.person2": "a.person2", "Rig": "a"}),
        (["a (1)", "b"], ["b", "the a (1)"], {"b": "b", "the a (1)": "a (1)"}),
        (["one", "two", "three"], ["Rig"], {"Rig": "one"}),
        (["one"], ["Rig", "Hero"], {"Rig": "one"}),
        ([], ["Rig"], {}),
    ],
)  # fmt: skip
def test_by_name_and_else_by_order(people: list[str], characters: list[str], played: dict[str, str]) -> None:
    assert cast(people, characters) == played

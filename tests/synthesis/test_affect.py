import numpy as np
import pytest

from stages.core.facs import AU_NUMBERS, EXPRESSIONS, N_AUS
from stages.synthesis.performance.affect import (
    STATES,
    VISIBLE,
    expression_index,
    feeling,
    probabilities,
    sample_active,
    sample_apex,
)

STATE = {state.name: state for state in STATES}


def test_prototypes_of_emfacs_are_the_likeliest_aus():
    prototypes = {
        "joy": {6, 12},
        "sadness": {1, 4, 15},
        "surprise": {1, 2, 25, 26},
        "anger": {4, 7, 23},
        "fear": {1, 2, 4, 25},
        "disgust": {10, 4},
    }
    for name, numbers in prototypes.items():
        chance = probabilities(STATE[name])
        likely = {AU_NUMBERS[k] for k in np.argsort(-chance)[: len(numbers)]}
        assert likely == numbers


def test_states_cover_all_expressions_and_aus():
    assert {state.expression for state in STATES} == set(EXPRESSIONS)
    total = sum((probabilities(state) > 0).astype(int) for state in STATES)
    assert (total >= 2).all()  # no AU belongs to one state only


def test_no_state_shows_an_au_always():
    rng = np.random.default_rng(0)
    for state in STATES:
        shown = np.mean([sample_active(state, rng) for _ in range(400)], axis=0)
        assert (shown < 1.0).all()


def test_lips_are_never_pressed_and_apart():
    rng = np.random.default_rng(1)
    columns = [AU_NUMBERS.index(number) for number in (24, 25, 26)]
    for state in STATES:
        for _ in range(200):
            pressed, parted, dropped = sample_active(state, rng)[columns]
            assert not (pressed and (parted or dropped))


def test_apex_is_visible_and_varied():
    rng = np.random.default_rng(2)
    apexes = np.array([sample_apex(rng) for _ in range(500)])
    assert apexes.min() >= 0.4 > VISIBLE
    assert apexes.max() <= 1.0
    assert apexes.std() > 0.1


@pytest.mark.parametrize(("name", "sign"), [("joy", 1), ("sadness", -1), ("anger", -1)])
def test_valence_has_the_sign_of_the_state(name, sign):
    state = STATE[name]
    valence, arousal = feeling(state, 0.9, 0.9 * (probabilities(state) > 0.5))
    assert sign * valence > 0.3
    assert -1 <= arousal <= 1


def test_a_neutral_face_has_hardly_any_feeling():
    valence, arousal = feeling(None, 0.0, np.zeros(N_AUS))
    assert abs(valence) < 0.1
    assert abs(arousal) < 0.1
    assert EXPRESSIONS[expression_index(None, 0.0)] == "neutral"
    assert EXPRESSIONS[expression_index(STATE["fear"], 0.8)] == "fear"

"""What is on a face: fringes, glasses, coverings, brows, eyes, teeth."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from stages.core.facs import AU_NUMBERS, N_AUS
from stages.synthesis.head.head_bank import EYE, GLASSES, HAIR, LENS, SKIN
from stages.synthesis.head.head_model import Head
from stages.synthesis.head.skin import brow_canvas, covered_region
from stages.synthesis.people.action_units import N_SHAPES
from stages.synthesis.people.looks import COVERINGS, FRINGES, Looks, looks_of
from stages.synthesis.people.mesh_files import FACE_SHAPES
from stages.synthesis.people.people import HAIRSTYLES, Person, sample_person
from stages.synthesis.performance.articulation import FEATURES
from stages.synthesis.performance.motion import Motion
from stages.synthesis.render.portrait import Portrait, head_bank, head_of
from stages.synthesis.render.rendering import FaceState, Renderer
from stages.synthesis.render.scene import Scene, sample_scene


def people(count: int) -> list[Person]:
    return [sample_person(np.random.default_rng((3, number))) for number in range(count)]


def someone(glasses: float = 0.0, hairstyle: str = "short", **wanted: object) -> Person:
    """A beardless person whose looks have these values."""
    base = replace(people(1)[0], glasses=glasses, hairstyle=hairstyle, beard="none")
    for seed in range(5000):
        person = replace(base, texture_seed=seed)
        looks = looks_of(person)
        if all(getattr(looks, name) == value for name, value in wanted.items()):
            return person
    raise AssertionError(wanted)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return replace(
        sample_scene(np.random.default_rng(5)), rotation=(0.0, 0.0, 0.0), noise=0.0, blur=0.0,
        background="studio", centre=(0.0, 0.0), face_share=0.6, saturation=1.0,
    )  # fmt: skip


def shown(head: Head, scene: Scene) -> np.ndarray:
    return Renderer([head], scene, 128, 128).render(FaceState()).astype(float)


def test_looks_are_the_persons_own_and_all_kinds_occur() -> None:
    looks = [looks_of(person) for person in people(1500)]
    assert looks[:20] == [looks_of(person) for person in people(20)]
    assert set(Counter(each.fringe for each in looks)) == set(FRINGES)
    coverings = Counter(each.covering for each in looks)
    assert set(coverings) == set(COVERINGS)
    assert coverings["none"] > 0.85 * len(looks)
    assert 0.02 < np.mean([each.dark_glasses for each in looks]) < 0.12
    assert abs(np.mean([each.brow_shift for each in looks])) < 0.002  # no bias to raised brows


def hides(head: Head) -> int:
    """Number of strands' vertices that hang in front of the forehead, above the eyes."""
    strands = np.unique(head.triangles[head.parts == HAIR])
    eyes = head.neutral[np.unique(head.triangles[head.parts == EYE])]
    x, y, z = head.neutral[strands].T
    before = (np.abs(x) < 0.25) & (z > eyes[:, 2].max() - 0.1)
    return int((before & (y > eyes[:, 1].max())).sum())


def test_a_fringe_hangs_in_front_of_the_forehead_and_follows_the_head(scene: Scene) -> None:
    bare = head_of(someone(hairstyle="short", fringe="none", covering="none"))
    fringed = head_of(someone(hairstyle="short", fringe="full", covering="none"))
    assert hides(bare) == 0
    assert hides(fringed) > 100
    strands = np.unique(fringed.triangles[fringed.parts == HAIR])
    assert (fringed.rigid[strands] == 1.0).all()
    assert not fringed.shapes[:, strands].any()
    skin = np.unique(fringed.triangles[fringed.parts == SKIN])
    forehead = skin[np.abs(fringed.rest[skin] - (0.0, 7.8, 1.3)).max(1) < 0.2]
    over = strands[np.abs(fringed.neutral[strands, 0]) < 0.1]
    lowest = fringed.neutral[over][fringed.neutral[over, 1] < fringed.neutral[forehead, 1].max()]
    assert (lowest[:, 2] > fringed.neutral[forehead, 2].min() - 0.02).all()
    assert np.isfinite(shown(fringed, scene)).all()


def eye_contrast(head: Head, scene: Scene) -> float:
    """How much the picture changes when the eyes close."""
    shapes = np.zeros(N_SHAPES, np.float32)
    renderer = Renderer([head], scene, 128, 128)
    still = renderer.render(FaceState(shapes=shapes)).astype(float)
    shapes[[FACE_SHAPES.index(f"eyeBlink{side}") for side in ("Left", "Right")]] = 1.0
    return float(np.abs(renderer.render(FaceState(shapes=shapes)).astype(float) - still).sum())


def test_dark_glasses_hide_the_eyes_and_glare_only_a_part(scene: Scene) -> None:
    plain, dark, glare = (
        head_of(someone(glasses=0.6, hairstyle="bald", covering="none", dark_glasses=d, glare=g))
        for d, g in ((False, False), (True, False), (False, True))
    )
    assert not (plain.parts == LENS).any()
    for head in (dark, glare):
        assert (head.parts == LENS).any()
        assert (head.parts == GLASSES).any()
    change = [eye_contrast(head, scene) for head in (plain, dark, glare)]
    assert change[1] < 0.25 * change[0] < change[2]


@pytest.mark.parametrize("covering", COVERINGS[1:])
def test_coverings_leave_the_face_free(covering: str) -> None:
    bank = head_bank()
    looks = looks_of(someone(covering=covering))
    x, y, z = bank.base.T
    region = covered_region(looks, x, y, z)
    skin = np.zeros(len(x), bool)
    skin[bank.triangles[bank.parts == SKIN].ravel()] = True
    face = skin & (np.abs(x) < 0.45) & (y > 6.35) & (y < 7.6) & (z > 1.0)
    top = skin & (y > 8.0) & (y < 8.15) & (z > 0.6)
    assert face.sum() > 300
    assert region[face].max() < 0.1
    assert region[top].mean() > 0.5


def test_brows_are_faint_or_bushy_and_lie_at_many_heights() -> None:
    def height(looks: Looks) -> float:
        drawn = brow_canvas(people(1)[0], looks, np.random.default_rng(0))
        return float((drawn.sum(axis=1) @ np.arange(len(drawn))) / drawn.sum())

    looks = looks_of(people(1)[0])
    low, high = (height(replace(looks, brow_shift=shift)) for shift in (-0.03, 0.03))
    assert low - high > 8  # rows of the canvas run downwards
    weights = [looks_of(person).brow_weight for person in people(300)]
    assert np.quantile(weights, 0.1) < 0.35
    assert np.quantile(weights, 0.9) > 0.8


@pytest.mark.parametrize("covering", COVERINGS)
@pytest.mark.parametrize("hairstyle", HAIRSTYLES)
def test_every_covering_goes_with_every_hairstyle_and_glasses(
    covering: str, hairstyle: str
) -> None:
    person = someone(glasses=0.5, hairstyle=hairstyle, covering=covering)
    head = head_of(person)
    frame = np.unique(head.triangles[head.parts == GLASSES])
    assert np.isfinite(head.neutral).all()
    assert np.abs(head.neutral[frame]).max() < 1.0


def lip_rows(person: Person, scene: Scene, au25: float = 0.0, au12: float = 0.0) -> np.ndarray:
    """Colours down the middle of the mouth, 0 to 255, of a face that the light meets evenly."""
    head = head_of(person)
    even = replace(scene, shadow=0.0, key=(0.0, 0.0, 1.0), fill=(0.0, 0.0, 1.0))
    intensity = np.zeros((1, N_AUS))
    intensity[0, [AU_NUMBERS.index(25), AU_NUMBERS.index(12)]] = au25, au12
    portrait = Portrait([head], even, 256)
    still = Motion(np.zeros((1, 3)), np.zeros((1, 2)), np.zeros(1), np.zeros((1, 2)))
    state = next(portrait.states(0, intensity, np.zeros((1, len(FEATURES))), still))
    mouth = portrait.landmarks([state])[0, 3:].mean(axis=0).round().astype(int)
    picture = portrait.picture([state], 0).astype(float)
    return picture[mouth[1] - 14 : mouth[1] + 16, mouth[0] - 3 : mouth[0] + 4].mean(axis=1)


def test_dark_faces_may_have_a_redder_lower_lip_and_light_ones_have_not() -> None:
    looks = [(person.tone, looks_of(person)) for person in people(600)]
    redder = {
        dark: np.array(
            [each.lower_lip[0] / each.upper_lip[0] for tone, each in looks if (tone < 0.25) == dark]
        )
        for dark in (True, False)
    }
    assert (redder[True] > 1.6).mean() > 0.2
    assert (redder[True] < 1.25).mean() > 0.05
    assert np.median(redder[False]) < 1.3


def test_closed_lips_meet_in_a_dark_line(scene: Scene) -> None:
    def darkest(seam: float) -> float:
        person = next(
            person for person in (replace(someone(), texture_seed=seed) for seed in range(5000))
            if abs(looks_of(person).seam - seam) < 0.01
        )  # fmt: skip
        rows = lip_rows(person, scene).mean(axis=1)
        return float(rows.min() / np.median(rows))

    assert darkest(0.72) < darkest(0.16)


def test_a_smile_that_parts_the_lips_shows_bright_teeth(scene: Scene) -> None:
    grin, closed = (
        (rows := lip_rows(someone(), scene, au25=part, au12=0.9))[
            rows.max(axis=1) > np.median(rows.max(axis=1))
        ]
        for part in (0.7, 0.0)
    )
    whitest = [float((rows.min(axis=1) / rows.max(axis=1)).max()) for rows in (grin, closed)]
    assert whitest[0] > whitest[1] + 0.1

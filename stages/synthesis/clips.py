"""Renders a clip: plays its scripts, draws the faces, records the voices, writes the file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.synthesis.audio.sentences import sentence
from stages.synthesis.audio.sound import record, sample_room
from stages.synthesis.audio.speech import Manner, Utterance, sample_voice, speak
from stages.synthesis.people.people import sample_person
from stages.synthesis.performance import pitfalls
from stages.synthesis.performance.plan import Clip
from stages.synthesis.performance.script import play, speech_of
from stages.synthesis.randomness import generator
from stages.synthesis.render.portrait import Portrait, head_of
from stages.synthesis.render.scene import sample_scene
from stages.synthesis.video_file import write_video

QUALITIES: Final = (20, 35)  # constant rate factors of libx264, the last not included
UNSEEN: Final = 0.15  # share of clips in which somebody speaks who is not in the picture


def unseen(duration: float, rng: np.random.Generator) -> list[tuple[float, Utterance]]:
    """What somebody behind the camera says, whose mouth nobody sees: starts in seconds, sounds."""
    if rng.random() >= UNSEEN:
        return []
    voice = sample_voice(rng, male=bool(rng.random() < 0.5))
    manner = Manner(rate=float(rng.uniform(140, 200)), volume=float(rng.uniform(0.3, 1.0)))
    said, time = [], float(rng.uniform(0.0, 0.5 * duration))
    while time < duration:
        said.append((time, speak(sentence(rng), voice, manner)))
        time += len(said[-1][1].samples) / said[-1][1].sample_rate + rng.exponential(3.0)
    return said


def render_clip(clip: Clip, path: Path) -> None:
    """Write the video of a clip; the same clip gives the same bytes.

    Parameters
    ----------
    clip : Clip
        From the plan.
    path : Path
        File to write.
    """
    settings, times = clip.settings, clip.times()
    rng = generator(settings.seed, "look", clip.stem)
    spoken = [speech_of(script) for script in clip.scripts]
    tracks = [play(s, times, said) for s, said in zip(clip.scripts, spoken, strict=True)]
    people = [sample_person(generator(settings.seed, "person", who)) for who in clip.people]
    portrait = Portrait(
        [head_of(person) for person in people], sample_scene(rng), settings.resolution
    )

    def frames() -> Iterator[NDArray[np.uint8]]:
        parts = [
            portrait.states(place, track.intensity, track.mouth, track.motion)
            for place, track in enumerate(tracks)
        ]
        for frame, states in enumerate(zip(*parts, strict=True)):
            yield portrait.picture(states, frame)

    room, crf = sample_room(rng), int(rng.integers(*QUALITIES))
    start = pitfalls.sound_start(clip.scripts[0].duration, clip.pitfall)
    sound = None
    if clip.pitfall != pitfalls.NO_SOUND:
        everyone = [line for lines in spoken for line in lines]
        everyone += unseen(clip.scripts[0].duration, rng)
        whole = record(everyone, clip.scripts[0].duration, room, rng)
        sound = whole[:, round(start * room.sample_rate) :]
    write_video(
        path,
        frames(),
        times,
        crf=crf,
        sound=sound,
        sample_rate=room.sample_rate,
        bit_rate=room.bit_rate,
        sound_start=start,
    )

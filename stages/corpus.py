"""Generate the corpus: talking heads with exact AU labels, labelled still faces, and speech.

In: nothing but settings. Out: ``data/corpus/videos``, a data root in the layout of Aff-Wild2
(``batch1/*.mp4``, ``AU_Detection_Challenge/SPLIT/NAME.txt``, ``AU_Intensity/SPLIT/NAME.txt`` with
intensities of 0 to 5, ``people.csv``) with the pitfalls of
real collections listed in ``ground_truth.csv``; ``data/corpus/faces.h5``, stills of people who
appear in no clip; ``data/corpus/speech.h5``, speech with phonemes.

Run it with ``dvc repro corpus``.
"""

from stages.check_settings import load_params
from stages.core.console import run_stage, say
from stages.core.errors import SettingsError
from stages.core.files import replacing
from stages.core.hashing import identity_of
from stages.core.parallel import map_videos
from stages.core.partial import partial_folder
from stages.core.paths import CORPUS_FACES, CORPUS_SPEECH, CORPUS_VIDEOS
from stages.synthesis.data_root import assemble_videos, summary
from stages.synthesis.performance.plan import Settings, plan_clips
from stages.synthesis.pieces import (
    CLIP,
    FACES,
    SPEECH,
    Piece,
    complete,
    make_piece,
    one_thread,
    speakers,
    still_people,
)
from stages.synthesis.render.portrait import head_bank
from stages.synthesis.settings import Corpus
from stages.synthesis.speech_data import join_speakers
from stages.synthesis.stills import join_stills

MIN_PEOPLE = 2  # one for training, one for validation


def settings_of(corpus: Corpus) -> Settings:
    """Settings of the clips, checked.

    Raises
    ------
    SettingsError
        When there are too few clips or people, or the pictures cannot be encoded.
    """
    people = corpus.people if corpus.people is not None else corpus.clips
    if not MIN_PEOPLE <= people <= corpus.clips:
        raise SettingsError(
            f"corpus.people = {people}, corpus.clips = {corpus.clips}: at least {MIN_PEOPLE} "
            "people, one for training and one for validation, and at most one for each clip."
        )
    if corpus.resolution % 2 or corpus.resolution < 64:
        raise SettingsError(f"corpus.resolution = {corpus.resolution}: an even number from 64 on.")
    return Settings(
        seed=corpus.seed,
        clips=corpus.clips,
        people=people,
        seconds=corpus.seconds,
        test_clips=corpus.test_clips,
        test_seconds=corpus.test_seconds,
        frame_rate=corpus.frame_rate,
        resolution=corpus.resolution,
    )


def main() -> None:
    """Run the stage: read the settings, make the pieces, put them together."""
    params = load_params()
    corpus, compute = params.corpus, params.compute
    settings = settings_of(corpus)
    with partial_folder("corpus", identity_of("stages.corpus", corpus.model_dump())) as folder:
        head_bank()  # built here if it must be: the workers would all build it at once
        clips = plan_clips(settings)
        work: dict[str, Piece] = {CLIP + clip.stem: clip for clip in clips}
        work |= {FACES + name: person for name, person in still_people(corpus).items()}
        work |= {SPEECH + name: speaker for name, speaker in speakers(corpus).items()}
        pieces = folder / "pieces"
        pieces.mkdir(exist_ok=True)
        outcome = map_videos(
            make_piece, work, pieces, suffix="", workers=compute.workers,
            description="corpus", compute=compute, initializer=one_thread,
        )  # fmt: skip
        videos = complete(outcome, CLIP, "clips")
        CORPUS_VIDEOS.parent.mkdir(parents=True, exist_ok=True)
        for path, join, kind, what in (
            (CORPUS_SPEECH, join_speakers, SPEECH, "speakers"),
            (CORPUS_FACES, join_stills, FACES, "people's faces"),
        ):
            with replacing(path) as temporary:
                join(temporary, list(complete(outcome, kind, what).values()))
        counts = assemble_videos(clips, videos, CORPUS_VIDEOS)
    say(summary(clips, counts))


if __name__ == "__main__":
    run_stage(main)

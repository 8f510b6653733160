"""`CineSequence`: cine images, their times and planes, in a form that scikit-learn can index."""

from copy import copy

import numpy as np

from sklearn_medsel.forecasting import _sequence_checks as checks
from sklearn_medsel.forecasting._frame_store import FrameStore

_PER_STEP = ("t", "patient", "sequence", "mask", "pixel_mm")


class CineSequence:
    """Cine images of one or more patients, one row per time step.

    Indexing with a whole number, a slice, row numbers or a Boolean mask gives a `CineSequence` of
    these rows, in that order, so that cross-validation and grid search of scikit-learn can take
    it as `X`. No frame is read or copied by that: frames stay in the arrays or memory-mapped
    files they are in until `frames` or `read` asks for them.

    Parameters
    ----------
    frames : array-like of shape (n_steps, n_planes, height, width), uint8 or float
        Images. An ``np.memmap`` stays in its file. Frames that hold floats are read once, to
        refuse NaN and infinity.
    t : array-like of shape (n_steps,)
        Time of each step in s. It must grow within a sequence.
    planes : tuple of str, or str
        Name of each plane, such as ``("coronal", "sagittal", "axial")``. Any distinct names do.
    pixel_mm : float or array-like of shape (n_planes,) or (n_steps, n_planes), default=1.0
        Side of a pixel in mm.
    mask : array-like of shape (n_steps, n_planes), bool, or None, default=None
        True where the plane was acquired at that step; what the frame holds elsewhere is
        ignored. None says that all were.
    patient : int, str or array-like of shape (n_steps,), default=0
        Patient of each step.
    sequence : int, str or array-like of shape (n_steps,), default=0
        Recording of each step, within a patient. The steps of one recording follow each other.
    positions : array-like of shape (n_steps, n_dims) or None, default=None
        Known positions of the tumour in mm, in one to three dimensions: SI (growing towards the
        feet), AP (towards the back), LR. NaN where they are not known.

    Attributes
    ----------
    t : ndarray of shape (n_steps,), float64
        Times in s.
    planes : tuple of str, of length n_planes
        Names of the planes.
    mask : ndarray of shape (n_steps, n_planes), bool
        True where a plane was acquired.
    pixel_mm : ndarray of shape (n_steps, n_planes), float64
        Pixel sizes in mm.
    patient : ndarray of shape (n_steps,)
        Patient of each step; also ``groups``.
    sequence : ndarray of shape (n_steps,)
        Recording of each step.
    positions : ndarray of shape (n_steps, n_dims), float64, or None
        Known positions in mm.

    Raises
    ------
    TypeError
        If a name of a plane is not text.
    ValueError
        If shapes do not fit each other; times are not finite, go back or repeat; rows of one
        sequence are mixed with those of another; an acquired frame holds NaN or infinity; frames
        are neither uint8 nor float; a pixel size is not positive; a position is infinite, or
        jumps by more than 100 mm.

    Notes
    -----
    A coronal frame has SI along its rows and LR along its columns, a sagittal one SI and AP, an
    axial one AP and LR.

    What is given is checked once; rows that are taken from it are not checked again.

    A pickle holds the frames in use. Of a memory-mapped file it holds the name only, and the
    file must be there, unchanged, when the pickle is opened; so sending it to another process
    costs nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.forecasting import CineSequence
    >>> frames = np.zeros((40, 2, 32, 24), dtype=np.uint8)
    >>> t = np.arange(40) / 4
    >>> X = CineSequence(frames, t, planes=("coronal", "sagittal"), pixel_mm=2.0, patient="A")
    >>> X
    CineSequence(40 steps, planes=('coronal', 'sagittal'), 32 x 24 pixels, uint8, 1 patient)
    >>> X[X.t < 5].shape
    (20, 2, 32, 24)
    >>> X.select_planes("sagittal").frames.shape
    (40, 1, 32, 24)
    """

    def __init__(
        self,
        frames,
        t,
        *,
        planes,
        pixel_mm=1.0,
        mask=None,
        patient=0,
        sequence=0,
        positions=None,
    ):
        if not isinstance(frames, FrameStore):  # which loaders give
            frames = FrameStore.from_array(checks.check_frames(frames, 4))
        self._set(frames, t, planes, pixel_mm, mask, patient, sequence, positions)
        checks.check_frame_values(self._store, self.mask, self.planes)

    def _set(self, store, t, planes, pixel_mm, mask, patient, sequence, positions):
        """Check and keep everything; values of frames are not looked at."""
        n_steps, n_planes = store.shape[:2]
        self._store = store
        self.planes = checks.check_planes(planes, n_planes)
        self.t = checks.check_times(t, n_steps)
        self.patient = checks.check_labels(patient, n_steps, "patient")
        self.sequence = checks.check_labels(sequence, n_steps, "sequence")
        first = checks.check_order(self.t, self.patient, self.sequence)
        self.mask = checks.check_mask(mask, (n_steps, n_planes))
        self.pixel_mm = checks.check_pixel_mm(pixel_mm, (n_steps, n_planes))
        self.positions = checks.check_positions(positions, first)

    @property
    def frames(self):
        """Frames of shape (n_steps, n_planes, height, width): a view if possible, or a copy."""
        return self._store.read()

    @property
    def shape(self):
        """Number of steps and planes, height and width in pixels."""
        return self._store.shape

    @property
    def ndim(self):
        """Number of axes, 4."""
        return 4

    @property
    def dtype(self):
        """Type of a pixel."""
        return self._store.dtype

    @property
    def groups(self):
        """Patient of each step, as ``groups`` of scikit-learn's splitters."""
        return self.patient

    @property
    def frame_rate(self):
        """Median number of steps per second within sequences; NaN where there are no two steps."""
        same = (self.patient[1:] == self.patient[:-1]) & (self.sequence[1:] == self.sequence[:-1])
        apart = np.diff(self.t)[same]
        return float(1 / np.median(apart)) if apart.size else float("nan")

    def read(self, rows):
        """Read the frames of some steps.

        Parameters
        ----------
        rows : int, slice or array-like of int or bool
            Steps.

        Returns
        -------
        ndarray of shape (n_rows, n_planes, height, width)
            Their frames; a view if possible, so do not write to it.
        """
        return self._store.take(self._row_numbers(rows)).read()

    def select_planes(self, planes):
        """Keep some planes, in the order given; all steps stay.

        Parameters
        ----------
        planes : tuple of str, or str
            Names of planes. Steps at which none of them was acquired are kept, with a mask of
            False; ``X[X.mask.any(axis=1)]`` leaves them out.

        Returns
        -------
        CineSequence
            The same steps; no frame is read or copied.

        Raises
        ------
        ValueError
            If a plane is unknown or named twice, or none is named.
        """
        planes = (planes,) if isinstance(planes, str) else tuple(planes)
        if not planes or len(set(planes)) < len(planes) or not set(planes) <= set(self.planes):
            raise ValueError(
                f"planes must be one or more of {self.planes}, each once, found {planes}."
            )
        columns = [self.planes.index(plane) for plane in planes]
        new = copy(self)
        new.planes = planes
        new._store = self._store.take_planes(columns)
        new.mask, new.pixel_mm = self.mask[:, columns], self.pixel_mm[:, columns]
        return new

    def with_positions(self, positions):
        """Give the sequence other positions.

        Parameters
        ----------
        positions : array-like of shape (n_steps, n_dims) or None
            Positions in mm, NaN where they are not known. None removes them.

        Returns
        -------
        CineSequence
            The same steps and the same frames, which are shared.

        Raises
        ------
        ValueError
            If the shape is wrong, a position is infinite or jumps by more than 100 mm, or rows are
            not in the order of time.
        """
        new = copy(self)
        first = checks.check_order(self.t, self.patient, self.sequence)
        new.positions = checks.check_positions(positions, first)
        return new

    @classmethod
    def concatenate(cls, sequences):
        """Join the steps of several sequences, such as those of several patients.

        Parameters
        ----------
        sequences : list of CineSequence
            Parts, one after the other. Smaller frames are padded with zeros at the bottom and
            right. The result has every plane that one of them has, those of the first one
            first; where a part lacks a plane, mask is False and pixel_mm is 1.

        Returns
        -------
        CineSequence
            All steps. No frame is read or copied. Where only some parts have positions, those of
            the others are NaN.

        Raises
        ------
        TypeError
            If a part is no CineSequence.
        ValueError
            If there are no parts; their frames differ in dtype, their labels in kind (numbers or
            text) or their positions in dimension; or a sequence comes in several parts that do
            not follow each other.
        """
        from sklearn_medsel.forecasting._loading import concatenate

        return concatenate(cls, sequences)

    @classmethod
    def from_frames(
        cls,
        frames,
        t=None,
        *,
        rate=None,
        planes=None,
        mask=None,
        pixel_mm=1.0,
        patient=0,
        sequence=0,
        positions=None,
    ):
        """Make a sequence of one recording from arrays in several forms.

        Parameters
        ----------
        frames : array-like or dict of array-like, uint8 or float
            Array of shape (n_steps, height, width) of one plane, or (n_steps, n_planes, height,
            width); or a dict from the name of each plane to its own (n_frames, height, width).
            Planes may differ in size: smaller ones are padded with zeros at the bottom and right.
        t : array-like of shape (n_steps,), dict of array-like, or None, default=None
            Times in s. A dict gives each plane of `frames` times of its own: there is one step for
            each time of any plane, frames less than 1 ms apart share the step of the last of them,
            and mask says which plane was acquired when.
        rate : float or None, default=None
            Steps per second, in place of `t`.
        planes : tuple of str, str or None, default=None
            Names of the planes. None takes the names of the dict, and coronal, sagittal, axial
            where `frames` has three planes.
        mask : array-like of shape (n_steps, n_planes), bool, or None, default=None
            Which planes were acquired. With times per plane just leave out what was not.
        pixel_mm : float, dict of float, or array-like, default=1.0
            Side of a pixel in mm, as in the class; a dict names the planes.
        patient, sequence : int, str or array-like of shape (n_steps,), default=0
            As in the class.
        positions : array-like of shape (n_steps, n_dims) or None, default=None
            As in the class. With times per plane, `with_positions` is easier.

        Returns
        -------
        CineSequence
            Arrays that are given are not copied.

        Raises
        ------
        ValueError
            As in the class; also if not exactly one of `t` and `rate` is given, planes cannot be
            named, or a plane changes its size.
        """
        from sklearn_medsel.forecasting._loading import from_frames

        options = dict(mask=mask, patient=patient, sequence=sequence, positions=positions)
        return from_frames(cls, frames, t, rate, planes, pixel_mm, options)

    @classmethod
    def from_npz(cls, path, *, planes=None, patient=None, sequence=None, targets=None, mmap=False):
        """Read one npz file per recording.

        A file holds ``frames``, of shape (n_steps, height, width) or (n_steps, n_planes, height,
        width), ``t_s`` or ``t`` in s, ``pixel_mm`` or ``px``, and may hold ``mask``, ``planes``,
        and ``pos_mm`` or ``positions`` in mm.

        Parameters
        ----------
        path : str, Path or list of them
            The file or files.
        planes : tuple of str, str or None, default=None
            Names of the planes. None takes those in the file, and coronal, sagittal, axial where
            there are three.
        patient : int, str, list of them or None, default=None
            Patient of all files, or of each of them. None takes the name of each file, without
            its ending.
        sequence : int, str, list of them or None, default=None
            Recording. None numbers the files of each patient from 0.
        targets : str, Path, list of them or None, default=None
            A file with positions for each of `path`: npz with ``si_mm`` and ``ap_mm``.
        mmap : bool, default=False
            Leave the frames in the file, which must be saved by ``np.savez``: what
            ``np.savez_compressed`` saved cannot be mapped. Frames in an ``npy`` file are mapped
            by ``from_frames(np.load(path, mmap_mode="r"), t, ...)``.

        Returns
        -------
        CineSequence
            All recordings, joined by `concatenate`.

        Raises
        ------
        FileNotFoundError
            If a file is not there.
        ValueError
            As in the class; also if a file lacks something or is compressed and to be mapped,
            the lists differ in length, or two files of the same name have no patient.
        """
        from sklearn_medsel.forecasting._loading import from_npz

        return from_npz(cls, path, planes, patient, sequence, targets, mmap)

    @classmethod
    def from_dicom(cls, folder, *, patient=None, sequence=None):
        """Read one recording from a folder of DICOM files; needs pydicom (extra ``image``).

        Files hold one frame each, or several. The plane of a frame comes from
        ImageOrientationPatient, and the image is turned and flipped to rows towards the feet and
        columns towards the patient's left (coronal), feet and back (sagittal), back and left
        (axial). RescaleSlope and RescaleIntercept are applied, and MONOCHROME1 is inverted.

        Parameters
        ----------
        folder : str or Path
            Folder, read with its sub-folders; files that are no DICOM images are left out.
        patient : int, str or None, default=None
            Name for the patient. None takes the first 12 hexadecimal digits of a hash (BLAKE2b)
            of PatientID. The hash has no secret, so whoever can guess the PatientID can
            recognise it: give a name where that matters.
        sequence : int, str or None, default=None
            Name for the recording; None is 0.

        Returns
        -------
        CineSequence
            Frames as uint8 where they are stored so without rescaling, and as float32 otherwise;
            times from the first frame on. Nothing else of a file is kept.

        Raises
        ------
        ImportError
            If pydicom is not installed.
        FileNotFoundError
            If there is no such folder.
        ValueError
            If there are no images, or files of several patients; a file lacks orientation, pixel
            size or, if `patient` is None, PatientID; an image is more than 30 degrees oblique, in
            colour, or has pixels that are not square; the frames of a plane differ in size, pixel
            size or slice position; or no time is usable.

        Notes
        -----
        Time is the first of these that every frame has, and that never repeats in a plane:
        FrameAcquisitionDateTime or AcquisitionDateTime; FrameReferenceDateTime; AcquisitionDate
        and AcquisitionTime; TriggerTime; FrameTime, counted from the start of the acquisition of
        a file of several frames, or by InstanceNumber. The last two have no common zero in
        several series, so there they are used only where the start of the acquisition is known.
        """
        from sklearn_medsel.forecasting._dicom import from_dicom

        return from_dicom(cls, folder, patient, 0 if sequence is None else sequence)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        rows = self._row_numbers(key)
        new = copy(self)
        new._store = self._store.take(rows)
        for name in _PER_STEP:
            setattr(new, name, getattr(self, name)[rows])
        if self.positions is not None:
            new.positions = self.positions[rows]
        return new

    def __array__(self, dtype=None, copy=None):
        # without it numpy would look for numbers by indexing, and read each frame many times
        return np.array(self.frames, dtype=dtype, copy=copy)

    def __repr__(self):
        height, width = self.shape[2:]
        n_patients = np.unique(self.patient).size
        return (
            f"CineSequence({len(self)} step{'s' * (len(self) != 1)}, planes={self.planes}, "
            f"{height} x {width} pixels, {self.dtype}, {n_patients} "
            f"patient{'s' * (n_patients != 1)})"
        )

    def _row_numbers(self, key):
        """Row numbers of an index, as scikit-learn and users write it."""
        if isinstance(key, tuple):
            if len(key) != 2 or key[1] is not Ellipsis:
                raise IndexError("Only steps can be indexed; planes are chosen by select_planes.")
            key = key[0]
        if not isinstance(key, slice) and key is not Ellipsis:
            key = np.asarray(key)
            if key.size == 0 and key.dtype == float:  # an empty list
                key = key.astype(np.intp)
        rows = np.atleast_1d(np.arange(len(self))[key])
        if rows.ndim > 1:
            raise IndexError("Steps are indexed by one row of numbers or Booleans.")
        return rows

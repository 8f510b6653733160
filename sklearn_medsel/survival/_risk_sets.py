"""Who is at risk and who fails at each event time, for many columns at once.

Kaplan-Meier, the log-rank test and the Cox model all need the same two sums over samples; they are
written here once, as cumulative sums that cost one pass over the data.
"""

import numpy as np


class RiskSets:
    """Samples of a survival target sorted by time, and sums over its risk sets.

    Parameters
    ----------
    event : ndarray of shape (n_samples,), bool
        Whether the event was seen; at least one is.
    time : ndarray of shape (n_samples,), float64
        Follow-up.

    Attributes
    ----------
    order : ndarray of shape (n_samples,), int
        Sorts samples by time. All methods expect values in this order.
    event : ndarray of shape (n_samples,), bool
        Events in that order.
    times : ndarray of shape (n_times,), float64
        Distinct times with at least one event.
    starts : ndarray of shape (n_times,), int
        Position of the first sample still at risk at each event time.
    rows : ndarray of shape (n_events,), int
        Positions of the events.
    time_of_row : ndarray of shape (n_events,), int
        Index into `times` of each event.
    """

    def __init__(self, event, time):
        self.order = np.argsort(time, kind="stable")
        self.event = event[self.order]
        sorted_time = time[self.order]
        self.rows = np.flatnonzero(self.event)
        self.times, self._first_row, self.time_of_row = np.unique(
            sorted_time[self.rows], return_index=True, return_inverse=True
        )
        self.starts = np.searchsorted(sorted_time, self.times, side="left")
        self.has_ties = self.times.size < self.rows.size

    def at_risk(self, values):
        """Sum of each column over the samples at risk at each event time.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_columns)
            In the order of time.

        Returns
        -------
        ndarray of shape (n_times, n_columns)
            The sums.
        """
        between_events = np.add.reduceat(values, self.starts, axis=0)
        return np.cumsum(between_events[::-1], axis=0)[::-1]

    def failing(self, values):
        """Sum of each column over the samples whose event is at each event time.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_columns)
            In the order of time.

        Returns
        -------
        ndarray of shape (n_times, n_columns)
            The sums.
        """
        of_events = values[self.rows]
        return np.add.reduceat(of_events, self._first_row, axis=0) if self.has_ties else of_events

    def rank_among_ties(self, present):
        """Fraction of the tied events that come before each event (Efron's l / d).

        Parameters
        ----------
        present : ndarray of shape (n_samples, n_columns), bool or float
            Which samples a column counts, in the order of time.

        Returns
        -------
        ndarray of shape (n_events, n_columns)
            0 for the first event of its time, 1 / d for the second of d, and so on.
        """
        counted = present[self.rows].astype(np.float64)
        before = np.cumsum(counted, axis=0) - counted
        before -= before[self._first_row][self.time_of_row]
        n_tied = np.add.reduceat(counted, self._first_row, axis=0)[self.time_of_row]
        return np.divide(before, n_tied, out=np.zeros_like(before), where=n_tied > 0)

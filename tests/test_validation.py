"""Checks of survival targets: what is accepted, and what each error says."""

import numpy as np
import pandas as pd
import pytest

from sklearn_medsel._validation import check_survival_y, is_survival_y, list_rows
from sklearn_medsel.survival import make_survival_y

EVENT = np.array([True, False, True])
TIME = np.array([2.0, 5.0, 0.0])


def structured(**fields):
    y = np.empty(3, dtype=[(name, np.asarray(values).dtype) for name, values in fields.items()])
    for name, values in fields.items():
        y[name] = values
    return y


@pytest.mark.parametrize(
    "y",
    [
        make_survival_y(EVENT, TIME),
        structured(time=TIME, event=EVENT),
        structured(Status=EVENT, months=TIME.astype(np.float32)),
        structured(TIME=TIME.astype(int), Event=EVENT.astype(int)),
        pd.DataFrame({"event": EVENT, "time": TIME}),
        pd.DataFrame({"Time": TIME.astype(int), "EVENT": EVENT.astype(float)}, index=list("cab")),
        pd.DataFrame({"event": EVENT, "time": TIME}).astype({"event": "boolean", "time": "Int64"}),
        pd.DataFrame({"event": EVENT.astype(object), "time": TIME.astype(object)}),
        pd.DataFrame({"event": pd.Categorical([1, 0, 1]), "time": TIME}),
    ],
)
def test_forms_of_target(y):
    assert is_survival_y(y)
    event, time = check_survival_y(y)
    assert event.dtype == bool
    assert time.dtype == np.float64
    np.testing.assert_array_equal(event, EVENT)
    np.testing.assert_array_equal(time, TIME)


def test_result_is_a_copy():
    y = make_survival_y(EVENT, TIME)
    event, time = check_survival_y(y)
    event[:], time[:] = False, -1
    np.testing.assert_array_equal(y["event"], EVENT)
    np.testing.assert_array_equal(y["time"], TIME)


@pytest.mark.parametrize(
    "y",
    [
        TIME,
        np.column_stack([EVENT, TIME]),
        [1, 2],
        None,
        "event",
        pd.Series(TIME, name="time"),
        pd.DataFrame({"event": EVENT, "days": TIME}),
        pd.DataFrame({"time": TIME}),
    ],
)
def test_other_targets_are_not_survival(y):
    assert not is_survival_y(y)
    with pytest.raises((ValueError, TypeError), match=r"make_survival_y|'event' and 'time'"):
        check_survival_y(y, name="y")


def frame(event=(1, 0, 1), time=(2.0, 5.0, 0.0)):
    return pd.DataFrame({"event": list(event), "time": list(time)})


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (frame(event=[0, 0, 0]), "y has no events: all 3 samples are censored"),
        (frame(event=[1, 2, 0]), "'event' of y must be True/False or 1/0.* at row 1;"),
        (frame(event=[1, None, 0]), "'event' of y is missing at row 1"),
        (frame(event=["yes", "no", "no"]), "at rows 0, 1, 2;"),
        (frame(event=["1", "0", "0"]), "at rows 0, 1, 2;"),
        (frame(time=[1, -2, -3]), "'time' of y is negative at rows 1, 2"),
        (frame(time=[1, np.nan, 3]), "'time' of y is missing at row 1"),
        (frame(time=[np.inf, 2, 3]), "'time' of y is infinite at row 0"),
        (frame(time=["1", "2", "3"]), "'time' of y is not a number at rows 0, 1, 2"),
        (frame(time=pd.to_timedelta([1, 2, 3], unit="D")), r"dates or durations.*\.dt\.days"),
        (frame().iloc[:0], "y is empty"),
        (frame().assign(age=1), "exactly the two columns.*'event', 'time', 'age'"),
        (structured(a=TIME, b=TIME), "Cannot tell event from time in the fields 'a', 'b'"),
        (structured(a=EVENT, b=EVENT), "Cannot tell event from time"),
        (structured(event=EVENT, time=TIME, x=TIME), "must have two fields"),
        (make_survival_y(EVENT, TIME)[:, None], r"shape \(3, 1\)"),
    ],
)
def test_errors_name_the_fault(y, message):
    with pytest.raises(ValueError, match=message):
        check_survival_y(y)


def test_target_name_is_in_the_message():
    with pytest.raises(ValueError, match="column 'time' of y_survival is negative"):
        check_survival_y(frame(time=[-1, 1, 1]), name="y_survival")


def test_censored_only_if_allowed():
    event, _ = check_survival_y(frame(event=[0, 0, 0]), require_events=False)
    assert not event.any()


def test_wrong_type_is_a_type_error():
    with pytest.raises(TypeError, match="got list"):
        check_survival_y([(True, 1.0)])


def test_rows_beyond_the_limit_are_counted():
    assert list_rows(np.ones(8, bool)) == "rows 0, 1, 2, 3, 4 and 3 more"
    assert list_rows([False, True]) == "row 1"


def test_make_survival_y():
    y = make_survival_y([1, 0], pd.Series([3, 4]))
    assert y.dtype == [("event", bool), ("time", np.float64)]
    np.testing.assert_array_equal(y["time"], [3, 4])


@pytest.mark.parametrize(
    ("event", "time", "message"),
    [
        ([1, 0], [1.0], "event has 2 values but time has 1"),
        ([1, 3], [1.0, 2.0], "event must be"),
        ([1, 0], [1.0, -2.0], "time is negative at row 1"),
        ([[1, 0], [0, 1]], [1.0, 2.0], "event must be one-dimensional"),
        (pd.Series([1, 0], index=[0, 1]), pd.Series([1.0, 2.0], index=[1, 0]), "different indices"),
    ],
)
def test_make_survival_y_errors(event, time, message):
    with pytest.raises(ValueError, match=message):
        make_survival_y(event, time)

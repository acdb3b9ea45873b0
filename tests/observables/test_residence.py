import numpy as np
import pytest
from synthetic_motion import two_state

from cgsim.observables.coordination import ContactRecord, record_contacts
from cgsim.observables.residence import _survivors, continuous_residence, intermittent_residence

CELL = np.array([[8.0, 0.0, 0.0], [2.0, 9.0, 0.0], [-1.0, 3.0, 10.0]])


def record(history: np.ndarray) -> ContactRecord:
    """Contacts [ions, partners, frames] with one site for each partner."""
    ions, partners, frames = history.shape
    ion, partner, frame = np.nonzero(history)
    order = np.lexsort((frame, ion))
    first = np.searchsorted(ion[order], np.arange(ions + 1))
    return ContactRecord(frames, ions, partners, first, frame[order], partner[order], np.arange(partners))


def markov(ions: int, partners: int, frames: int, form: float, part: float, seed: int) -> ContactRecord:
    states = two_state(ions * partners, frames, form, part, np.random.default_rng(seed))
    return record(states.reshape(ions, partners, frames))


@pytest.mark.slow
def test_residence_times_of_two_state_contacts_are_covered_by_their_intervals() -> None:
    form, part, runs = 0.004, 0.04, 100
    # Sums of geometric series by the trapezoidal rule: 1 / (1 - q) - 1/2, q the memory from frame to frame.
    exact = {"continuous": 1 / part - 0.5, "intermittent": 1 / (form + part) - 0.5}
    inside = {name: {0.68: 0, 0.95: 0} for name in exact}
    for seed in range(runs):
        contacts = markov(12, 10, 1500, form, part, seed)
        for name, found in (
            ("continuous", continuous_residence(contacts)),
            ("intermittent", intermittent_residence(contacts)),
        ):
            for level in inside[name]:
                low, high = found.time.interval(level)
                inside[name][level] += low <= exact[name] <= high
            assert not found.is_lower_bound
    for name, covered in inside.items():
        for level, hits in covered.items():
            print(f"{name} residence time: {level:.0%} interval covers {hits / runs:.1%} of {runs}")
            # binomial at 3 sigma: 14 and 7 %; 4 %: a jackknife of twelve ions
            assert abs(hits / runs - level) < 3 * np.sqrt(level * (1 - level) / runs) + 0.04


def test_correlations_are_the_exponentials_of_the_process() -> None:
    form, part = 0.01, 0.05
    contacts = markov(40, 5, 4000, form, part, seed=1)
    lags = np.arange(60)
    for found, exact in (
        (continuous_residence(contacts), (1 - part) ** lags),
        (intermittent_residence(contacts), (1 - form - part) ** lags),
    ):
        pull = (found.correlation[1:60] - exact[1:]) / found.standard_error[1:60]
        assert np.abs(pull).max() < 4.5
        assert found.correlation[0] == pytest.approx(1.0)
    assert continuous_residence(contacts).per_ion == pytest.approx(5 * form / (form + part), rel=0.1)


def test_survival_equals_counting_every_origin_with_and_without_tolerance() -> None:
    history = two_state(4, 50, 0.3, 0.25, np.random.default_rng(2))
    for tolerance in (0, 1, 3):
        expected = np.zeros(50)
        for row in history:
            for start in np.flatnonzero(row):
                away = 0
                for t in range(start, 50):
                    away = 0 if row[t] else away + 1
                    if away > tolerance:
                        break
                    expected[t - start] += row[t]
        np.testing.assert_allclose(_survivors(history, tolerance), expected)


def test_tolerance_of_the_whole_run_turns_continuous_into_any_return() -> None:
    history = two_state(30, 400, 0.02, 0.1, np.random.default_rng(3)).reshape(6, 5, 400)
    contacts = record(history)
    tolerant = continuous_residence(contacts, tolerance=400)
    together = history.reshape(30, 400)
    for lag in (0, 7, 100):
        both = (together[:, lag:] & together[:, : 400 - lag]).sum()
        assert tolerant.correlation[lag] == pytest.approx(both / together[:, : 400 - lag].sum())


def test_contacts_that_never_break_give_a_lower_bound() -> None:
    contacts = record(np.ones((5, 1, 40), dtype=bool))
    found = continuous_residence(contacts)
    assert found.is_lower_bound
    assert found.time.value == pytest.approx(20.0)


def test_error_of_contacts_that_all_tell_the_same_is_unknown_and_not_0() -> None:
    never_broken, one_ion = np.ones((5, 1, 60), dtype=bool), np.arange(120).reshape(1, 2, 60) // 40 == 1
    for history in (never_broken, one_ion):
        for found in (continuous_residence(record(history)), intermittent_residence(record(history))):
            assert found.time.value > 0
            assert np.isnan(found.time.standard_error)
            assert np.isnan(found.time.interval(0.95)).all()


def test_two_ions_that_never_meet_anything_have_no_residence() -> None:
    history = np.zeros((2, 2, 30), dtype=bool)
    assert continuous_residence(record(history)).time.value == 0
    assert intermittent_residence(record(history)).time.value == 0


def test_record_holds_every_contact_of_every_frame_once() -> None:
    generator = np.random.default_rng(4)
    frames = [(generator.uniform(-5, 15, size=(40, 3)), CELL) for _ in range(5)]
    own, ion = np.array([3, 8, 9, 17]), np.array([0, 1, 1, 2])  # the second ion has two sites
    other = np.array([0, 1, 20, 21, 22, 30, 31, 39])
    partner = np.array([0, 0, 1, 1, 1, 2, 2, 3])
    found = record_contacts(frames, own, ion, other, partner, 3.0)
    shifts = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), axis=-1).reshape(-1, 3) @ CELL
    for k in range(3):
        expected = set()
        for t, (positions, _) in enumerate(frames):
            for site in own[ion == k]:
                gap = positions[other][:, None] - positions[site] + shifts
                near = np.linalg.norm(gap, axis=-1).min(axis=1) < 3.0
                expected |= {(t, s) for s in np.flatnonzero(near)}
        assert expected == set(zip(*(x.tolist() for x in found.shells(k)), strict=True))
        history = found.histories(k)
        assert history.sum() == len({(t, partner[s]) for t, s in expected})
    assert found.n_ions == 3
    assert found.n_partners == 4


@pytest.mark.parametrize(("frames", "cutoff", "message"), [([], 1.0, "no frames"), ([], 0.0, "must be positive")])
def test_nothing_to_look_at_is_refused(frames: list, cutoff: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        record_contacts(frames, np.array([0]), np.array([0]), np.array([1]), np.array([0]), cutoff)

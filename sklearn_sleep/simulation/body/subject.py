"""What differs from subject to subject: the parameters of a synthetic person."""

from dataclasses import dataclass

import numpy as np

from sklearn_sleep.core.arrays import FloatArray

N_STAGES = 5


@dataclass(frozen=True)
class Subject:
    """Parameters of a synthetic person, the same on every night.

    Rates are a minute (heart, breaths) or an hour (pauses of N1, N2, REM; premature beats), times
    in s, ``abdomen_lag`` a part of a breath; gains are factors on amplitudes or counts. Effects,
    (5,), are by how much the response to W, N1, N2, N3, R departs from the typical one, in logs.
    """

    heart_rate: float
    variability_gain: float
    respiratory_rate: float
    apnoea_index: float
    ectopic_index: float
    arousal_gain: float
    pulse_transit_time: float
    abdomen_lag: float
    thorax_gain: float
    abdomen_gain: float
    pulse_gain: float
    ecg_gain: float
    eeg_gain: float
    emg_gain: float
    p_wave: float
    t_wave: float
    alpha_gain: float
    spindle_gain: float
    delta_gain: float
    noise_gain: float
    heart_rate_effect: FloatArray
    respiratory_sinus_arrhythmia_effect: FloatArray
    low_frequency_effect: FloatArray
    very_low_frequency_effect: FloatArray
    respiratory_irregularity_effect: FloatArray
    vasomotion_effect: FloatArray


def draw_subject(rng: np.random.Generator, difficulty: float) -> Subject:
    """Draw a person; difficulty is a factor on how much subjects differ in response to stages.

    Resting heart rate and its variability spread over adults as in Umetani 1998 (J Am Coll
    Cardiol 31:593-601), respiratory rate 12 to 20 a minute as in Douglas 1982 (Thorax
    37:840-844), respiratory pauses as in Young 2002 (Am J Respir Crit Care Med 165:1217-1239:
    most people have fewer than 5 an hour), premature beats as in Kostis 1981 (Circulation
    63:1351-1356: none to a few an hour in most), pulse transit time to the finger 0.2 to 0.3 s
    as in Allen 2007 (Physiol Meas 28:R1-R39).
    """

    def gain(spread: float) -> float:
        return float(np.exp(spread * np.clip(rng.standard_normal(), -2.0, 2.0)))

    def effect(spread: float) -> FloatArray:
        return difficulty * spread * rng.standard_normal(N_STAGES)

    return Subject(
        heart_rate=62.0 * gain(0.13),
        variability_gain=gain(0.3),
        respiratory_rate=15.0 * gain(0.12),
        apnoea_index=float(rng.choice([0.0, 3.0, 10.0, 25.0], p=[0.4, 0.3, 0.2, 0.1])),
        ectopic_index=float(rng.choice([0.0, 1.0, 5.0, 30.0], p=[0.4, 0.3, 0.2, 0.1])),
        arousal_gain=gain(0.3),
        pulse_transit_time=float(rng.uniform(0.21, 0.29)),
        abdomen_lag=float(rng.uniform(0.02, 0.10)),
        thorax_gain=gain(0.25),
        abdomen_gain=gain(0.25),
        pulse_gain=gain(0.25),
        ecg_gain=gain(0.2),
        eeg_gain=gain(0.15),
        emg_gain=gain(0.25),
        p_wave=gain(0.3),
        t_wave=gain(0.3),
        alpha_gain=gain(0.35),
        spindle_gain=gain(0.2),
        delta_gain=gain(0.15),
        noise_gain=gain(0.4),
        heart_rate_effect=effect(0.02),
        respiratory_sinus_arrhythmia_effect=effect(0.2),
        low_frequency_effect=effect(0.2),
        very_low_frequency_effect=effect(0.2),
        respiratory_irregularity_effect=effect(0.4),
        vasomotion_effect=effect(0.3),
    )

//! What the processors do to sound, measured from outside and held against closed forms.

#[path = "../support/long.rs"]
mod long;
#[path = "../signals/mod.rs"]
mod signals;
#[path = "../support/mod.rs"]
mod support;
mod tools;

mod channels;
mod compared;
mod compressor;
mod convolution;
mod crossover;
mod de_esser;
mod delay;
mod dynamic_eq;
mod dynamics;
mod eq;
mod eq_moving;
mod expander;
mod gain;
mod gate;
mod limiter;
mod mono_below;
mod multiband;
mod reverb;
mod shaping;
mod transient;

/// 20·log10|x|.
fn db(x: f64) -> f64 {
    mixdown_dsp::units::db_from_gain(x)
}

/// 10^(dB/20).
fn from_db(db: f64) -> f64 {
    mixdown_dsp::units::gain_from_db(db)
}

/// The spectrum of a response at a frequency: real and imaginary part of its Fourier sum.
fn spectrum<S: Copy + Into<f64>>(response: &[S], frequency_hz: f64, rate_hz: f64) -> (f64, f64) {
    let step = core::f64::consts::TAU * frequency_hz / rate_hz;
    let (cos, sin) = (mixdown_dsp::math::cos(step), mixdown_dsp::math::sin(step));
    let (mut re, mut im, mut sum_re, mut sum_im) = (1.0, 0.0, 0.0, 0.0);
    for sample in response {
        let sample: f64 = (*sample).into();
        sum_re += sample * re;
        sum_im -= sample * im;
        (re, im) = (re * cos - im * sin, re * sin + im * cos);
    }
    (sum_re, sum_im)
}

/// Frequencies from 20 Hz to 20 kHz, evenly by the logarithm.
fn audible_hz(count: u32) -> impl Iterator<Item = f64> {
    (0..=count).map(move |index| 20.0 * mixdown_dsp::math::powf(1000.0, f64::from(index) / f64::from(count)))
}

//! What the processors do to sound, measured from outside and held against closed forms.

#[path = "../signals/mod.rs"]
mod signals;
#[path = "../support/mod.rs"]
mod support;
mod tools;

mod compressor;
mod convolution;
mod delay;
mod eq;
mod gain;
mod reverb;

/// 20·log10|x|.
fn db(x: f64) -> f64 {
    mixdown_dsp::units::db_from_gain(x)
}

/// 10^(dB/20).
fn from_db(db: f64) -> f64 {
    mixdown_dsp::units::gain_from_db(db)
}

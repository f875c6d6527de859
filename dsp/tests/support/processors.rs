//! Processors as the tests of the nodes run them: on every path, and every preset.

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::nodes::*;

use super::noise;

/// A band of an equaliser.
pub fn band(kind: BandKind, frequency_hz: f64, gain_db: f64, q: f64) -> Band {
    Band { kind, frequency_hz, gain_db, q, slope_db_per_octave: 12 }
}

/// A pass filter of an equaliser.
pub fn pass(kind: BandKind, frequency_hz: f64, slope_db_per_octave: u32) -> Band {
    Band { kind, frequency_hz, gain_db: 0.0, q: 0.7, slope_db_per_octave }
}

/// An equaliser with a band of every kind, more sections than run in one loop.
pub fn busy_eq() -> Eq {
    Eq {
        bands: vec![
            pass(BandKind::HighPass, 30.0, 18),
            band(BandKind::LowShelf, 120.0, 4.0, 0.8),
            band(BandKind::Bell, 1000.0, -6.0, 2.0),
            band(BandKind::Bell, 3000.0, 0.0, 1.0),
            band(BandKind::Notch, 5000.0, 0.0, 8.0),
            band(BandKind::HighShelf, 9000.0, 3.0, 0.7),
            band(BandKind::Tilt, 700.0, -2.0, 0.7),
            pass(BandKind::LowPass, 18000.0, 48),
        ],
    }
}

/// A convolution with decaying noise of so many channels.
pub fn room(convolution: Convolution, channels: usize, frames: usize) -> Processor {
    let mut audio = Buffer::new(channels, frames);
    for (channel, samples) in audio.iter_mut().zip(noise(channels, frames, 0.3)) {
        for (index, (to, sample)) in channel.iter_mut().zip(samples).enumerate() {
            let left = 1.0 - index as f32 / frames as f32;
            *to = sample * left * left * left;
        }
    }
    Processor::Convolution(convolution.loaded(audio, 1.0))
}

/// An equaliser of bands that a lone section cannot imitate, and of the steepest passes.
pub fn sharp_eq() -> Eq {
    Eq {
        bands: vec![
            pass(BandKind::HighPass, 80.0, 96),
            band(BandKind::HighShelf, 12_000.0, 12.0, 8.0),
            band(BandKind::Bell, 18_000.0, -18.0, 3.0),
            pass(BandKind::LowPass, 15_000.0, 18),
        ],
    }
}

/// Every processor on all its paths, and with every preset.
pub fn variants() -> Vec<(String, Processor)> {
    let preset = |preset: &Preset| (format!("{} ({})", preset.processor.name(), preset.name), preset.processor.clone());
    paths().into_iter().chain(Processor::presets().iter().map(preset)).collect()
}

/// A band of a dynamic equaliser that noise moves.
pub fn dynamic_band(kind: DynamicBandKind, frequency_hz: f64, range_db: f64, when: When) -> DynamicBand {
    DynamicBand {
        kind,
        frequency_hz,
        q: 1.3,
        range_db,
        when,
        threshold_db: -24.0,
        ratio: 2.0,
        knee_db: 6.0,
        attack_ms: 2.0,
        release_ms: 30.0,
    }
}

/// Every processor with its default parameters, and with those that reach its other paths.
pub fn paths() -> Vec<(String, Processor)> {
    let compressor = Compressor { threshold_db: -30.0, ratio: 8.0, ..Compressor::default() };
    let more = [
        ("louder and upside down", Processor::Gain(Gain { gain_db: 7.3, invert_polarity: true })),
        ("both gains", Processor::Trim(Trim { gain_db: -1.3, left_db: 2.1, right_db: -3.7 })),
        ("left", Processor::Polarity(Polarity { channels: Channels::Left })),
        ("wide", Processor::Width(Width { width: 1.6 })),
        ("decode", Processor::MidSide(MidSide { direction: Direction::Decode })),
        ("side", Processor::Mono(Mono { take: Take::Side })),
        ("to the left", Processor::Pan(Pan { position: -0.37, law_db: -4.5, ..Pan::default() })),
        (
            "dual",
            Processor::Pan(Pan {
                stereo: StereoPan::Dual,
                law_db: -6.0,
                left_position: -0.2,
                right_position: 0.7,
                ..Pan::default()
            }),
        ),
        ("every kind of band", Processor::Eq(busy_eq())),
        ("steep, sharp and high", Processor::Eq(sharp_eq())),
        (
            "look-ahead, rms, mix",
            Processor::Compressor(Compressor {
                lookahead_ms: 3.0,
                detection: Detection::Rms,
                rms_ms: 7.0,
                mix: 0.6,
                makeup_db: 5.0,
                ..compressor.clone()
            }),
        ),
        (
            "fast, hard knee",
            Processor::Compressor(Compressor { knee_db: 0.0, attack_ms: 0.01, release_ms: 1.0, ..compressor.clone() }),
        ),
        (
            "decoupled, automatic release, filtered key, half linked",
            Processor::Compressor(Compressor {
                smoothing: Smoothing::Decoupled,
                auto_release: true,
                key_high_pass_hz: 150.0,
                stereo_link: 0.5,
                ..compressor.clone()
            }),
        ),
        (
            "automatic release, not linked",
            Processor::Compressor(Compressor {
                auto_release: true,
                stereo_link: 0.0,
                key_low_pass_hz: 3000.0,
                ..compressor
            }),
        ),
        (
            "peaks, look-ahead, not linked",
            Processor::Expander(Expander {
                threshold_db: -6.0,
                detection: Detection::Peak,
                lookahead_ms: 2.0,
                hold_ms: 1.0,
                stereo_link: 0.0,
                mix: 0.7,
                ..Expander::default()
            }),
        ),
        ("ratio 1", Processor::Expander(Expander { ratio: 1.0, ..Expander::default() })),
        (
            "chattering, filtered key, look-ahead",
            Processor::Gate(Gate {
                threshold_db: -14.0,
                hysteresis_db: 0.0,
                range_db: 40.0,
                hold_ms: 0.0,
                release_ms: 1.0,
                lookahead_ms: 3.0,
                key_high_pass_hz: 500.0,
                key_low_pass_hz: 5000.0,
                stereo_link: 0.3,
                ..Gate::default()
            }),
        ),
        (
            "more attack, less sustain",
            Processor::Transient(Transient {
                attack_db: 9.0,
                sustain_db: -12.0,
                makeup_db: 1.0,
                ..Transient::default()
            }),
        ),
        (
            "less attack, more sustain, apart",
            Processor::Transient(Transient {
                attack_db: -9.0,
                sustain_db: 12.0,
                attack_ms: 5.0,
                sustain_ms: 90.0,
                mix: 0.5,
                key_high_pass_hz: 200.0,
                stereo_link: 0.0,
                ..Transient::default()
            }),
        ),
        (
            "ping-pong",
            Processor::Delay(Delay { time_ms: 1.0, feedback: 0.95, ping_pong: true, mix: 0.4, ..Delay::default() }),
        ),
        ("short, dry", Processor::Delay(Delay { time_ms: 7.7, feedback: 0.0, mix: 0.2, ..Delay::default() })),
        (
            "true stereo",
            room(Convolution { predelay_ms: 3.0, width: 0.7, mix: 0.6, ..Convolution::default() }, 4, 5000),
        ),
        (
            "stereo, cut",
            room(Convolution { start_ms: 5.0, length_s: 0.02, normalize: false, ..Convolution::default() }, 2, 2000),
        ),
        ("driven", Processor::Limiter(Limiter { drive_db: 12.0, lookahead_ms: 1.5, ..Limiter::default() })),
        (
            "five bands, rms",
            Processor::Multiband(Multiband {
                crossovers_hz: vec![100.0, 400.0, 2000.0, 8000.0],
                slope_db_per_octave: 48,
                bands: (0..5)
                    .map(|band| CompressorBand {
                        threshold_db: -40.0 + 4.0 * f64::from(band),
                        ratio: 3.0,
                        mix: 0.7,
                        makeup_db: 2.0,
                        bypass: band == 3,
                        ..CompressorBand::default()
                    })
                    .collect(),
                detection: Detection::Rms,
                rms_ms: 3.0,
                smoothing: Smoothing::Decoupled,
                auto_release: true,
            }),
        ),
        (
            "two bands, gentle",
            Processor::Multiband(Multiband {
                crossovers_hz: vec![700.0],
                slope_db_per_octave: 12,
                bands: vec![CompressorBand { threshold_db: -30.0, ..CompressorBand::default() }; 2],
                ..Multiband::default()
            }),
        ),
        (
            "wide, biting",
            Processor::DeEsser(DeEsser {
                mode: DeEsserMode::Wide,
                threshold_db: -20.0,
                lookahead_ms: 0.0,
                ..DeEsser::default()
            }),
        ),
        (
            "split, biting",
            Processor::DeEsser(DeEsser { threshold_db: -20.0, frequency_hz: 4000.0, ..DeEsser::default() }),
        ),
        (
            "every kind of band",
            Processor::DynamicEq(DynamicEq {
                bands: vec![
                    dynamic_band(DynamicBandKind::LowShelf, 120.0, 6.0, When::Above),
                    dynamic_band(DynamicBandKind::Bell, 2500.0, -12.0, When::Above),
                    dynamic_band(DynamicBandKind::HighShelf, 9000.0, -8.0, When::Above),
                ],
            }),
        ),
        (
            "below the threshold",
            Processor::DynamicEq(DynamicEq {
                bands: vec![
                    dynamic_band(DynamicBandKind::Bell, 400.0, -9.0, When::Below),
                    dynamic_band(DynamicBandKind::HighShelf, 3000.0, 5.0, When::Below),
                ],
            }),
        ),
        ("steep", Processor::MonoBelow(MonoBelow { frequency_hz: 300.0, slope_db_per_octave: 48 })),
        ("gentle", Processor::MonoBelow(MonoBelow { frequency_hz: 80.0, slope_db_per_octave: 12 })),
        (
            "tube, biased, 4x",
            Processor::Saturator(Saturator {
                curve: SaturatorCurve::Tube,
                drive_db: 18.0,
                bias: -0.2,
                output_db: -6.0,
                mix: 0.7,
                oversampling: 4,
            }),
        ),
        ("tape", Processor::Saturator(Saturator { curve: SaturatorCurve::Tape, ..Saturator::default() })),
        (
            "cubic, 16x",
            Processor::Saturator(Saturator {
                curve: SaturatorCurve::Cubic,
                drive_db: 12.0,
                oversampling: 16,
                ..Saturator::default()
            }),
        ),
        ("soft", Processor::Clipper(Clipper { drive_db: 9.0, knee_db: 6.0, mix: 0.8, ..Clipper::default() })),
        (
            "small room",
            Processor::Reverb(Reverb {
                decay_s: 0.3,
                size: 0.0,
                predelay_ms: 0.0,
                width: 0.5,
                mix: 0.3,
                ..Reverb::default()
            }),
        ),
        (
            "octaves, still",
            Processor::Reverb(Reverb {
                decay_s: 1.0,
                octaves: vec![2.0, 1.6, 1.3, 1.1, 1.0, 0.9, 0.7, 0.5],
                modulation: 0.0,
                early: 0.6,
                ..Reverb::default()
            }),
        ),
    ];
    let defaults = Processor::all().into_iter().map(|processor| ("default", processor));
    defaults.chain(more).map(|(label, processor)| (format!("{} ({label})", processor.name()), processor)).collect()
}

//! What a peak bound says against what the banks read.

mod signals;

use mixdown_dsp::kernels::interpolator::Interpolator;
use mixdown_dsp::kernels::peak_bound::{Extents, PeakBound};
use signals::{Noise, sine, sound};

const BANKS: [fn() -> &'static Interpolator; 6] = [
    Interpolator::accurate,
    Interpolator::long,
    Interpolator::coarse,
    Interpolator::detection,
    Interpolator::short,
    Interpolator::common,
];

/// Noise that leans towards low frequencies the more, the greater `pole` is; samples of one sign and of alternating ones;
/// a step; tones up to half the rate.
fn signals(seed: u64) -> Vec<Vec<f32>> {
    let mut noise = Noise::new(seed);
    let mut signals: Vec<Vec<f32>> = [0.0, 0.5, 0.9, 0.999]
        .into_iter()
        .map(|pole: f32| {
            let mut last = 0.0;
            (0..4_000)
                .map(|_| {
                    last = pole * last + (1.0 - pole) * noise.next();
                    last
                })
                .collect()
        })
        .collect();
    signals.push((0..4_000).map(|_| noise.next().signum()).collect());
    signals.push((0..4_000).map(|n| if n % 2 == 0 { 1.0 } else { -1.0 } * noise.next().abs()).collect());
    signals.push((0..4_000).map(|n| if n < 2_000 { 1.0 } else { -0.25 }).collect());
    let tone = f64::from(noise.next().abs()) / 2.0;
    signals.push(sine(tone, 0.9, 360.0 * f64::from(noise.next()), 4_000));
    signals.push(sine(0.499, 0.9, 45.0, 4_000));
    signals
}

#[test]
fn no_interval_reads_more_than_its_bound_in_any_bank() {
    let together = PeakBound::of_all(BANKS.map(|bank| *bank().bound()));
    let (mut tightest, mut extents) = (0.0_f32, Extents::default());
    for samples in (0..6).flat_map(signals) {
        extents.measure(&samples);
        for bank in BANKS.map(|bank| bank()) {
            let width = 2 * bank.reach();
            for (start, window) in samples.windows(width).enumerate() {
                let (peak, extent) = (bank.peak(window), extents.of(start, start + width));
                let ends = window[bank.reach() - 1].abs().max(window[bank.reach()].abs());
                let bound = bank.bound().at_most(ends, extent);
                assert!(peak <= bound, "reach {}: {peak} above {bound} at {start}", bank.reach());
                assert!(bound <= together.at_most(ends, extent), "reach {}: the bound of all is lower", bank.reach());
                tightest = tightest.max(peak / bound);
            }
        }
    }
    assert!(tightest > 0.9, "no bound is near what is read: {tightest}");
}

#[test]
fn an_extent_holds_every_sample_and_every_bend_of_its_stretch() {
    let samples = &signals(11)[0];
    let mut extents = Extents::default();
    for length in [1, 2, 31, 33, 34, 35, 64, 66, 1_000] {
        extents.measure(&samples[..length]);
        for (from, to) in [(0, length), (length / 2, length), (length / 3, length / 2 + 1)] {
            let (extent, stretch) = (extents.of(from, to), &samples[from..to]);
            assert!(stretch.iter().all(|x| x.abs() <= extent.level));
            assert!(stretch.windows(3).all(|w| (w[0] - 2.0 * w[1] + w[2]).abs() <= extent.curvature));
        }
    }
}

#[test]
fn on_programme_few_intervals_are_left_to_read() {
    let samples = sound(48_000, 2);
    let bank = Interpolator::accurate();
    let peak = samples.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
    let mut extents = Extents::default();
    extents.measure(&samples);
    let width = 2 * bank.reach();
    let left = samples.windows(width).enumerate().filter(|(start, window)| {
        let ends = window[bank.reach() - 1].abs().max(window[bank.reach()].abs());
        bank.bound().at_most(ends, extents.of(*start, start + width)) > peak
    });
    let (left, all) = (left.count(), samples.len());
    println!("{left} of {all}");
    assert!(left * 10 < all, "{left} of {all}");
}

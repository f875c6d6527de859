//! Defects are planted one by one into clean music: each is found, and nothing else is.

use std::path::Path;
use std::sync::OnceLock;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::media::Decoder;
use mixdown_dsp::quality::{DefectKind, Quality};

use super::signals::{Noise, sound};
use super::{analyse, analyse_bits};

const RATE: u32 = 48_000;
const BITS: f32 = 8_388_608.0;

type Music = [Vec<f32>; 2];

/// A file of the example, both channels; its own rate does not matter here.
fn stem(name: &str) -> Music {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/harbour_lights/audio").join(name);
    let mut decoder = Decoder::open(&path).unwrap();
    let mut block = Buffer::new(decoder.probe().channels as usize, decoder.probe().frames as usize);
    decoder.read(&mut block).unwrap();
    [block.channel(0).to_vec(), block.channel(block.channel_count() - 1).to_vec()]
}

/// Drums, bass, guitars, strings and voices of the example, each at its place, as 24-bit integers that peak at −1 dBFS.
fn music() -> &'static Music {
    static MUSIC: OnceLock<Music> = OnceLock::new();
    MUSIC.get_or_init(|| {
        let places = [
            ("kick.flac", 1.0, 1.0),
            ("snare.flac", 0.9, 1.0),
            ("hats.flac", 0.4, 1.0),
            ("cymbals.flac", 0.8, 0.6),
            ("bass.flac", 1.0, 1.0),
            ("guitar.flac", 1.0, 0.3),
            ("keys.flac", 0.3, 0.8),
            ("strings.flac", 0.7, 0.7),
            ("lead_vox.flac", 1.0, 1.0),
        ];
        let mut sum: Music = [Vec::new(), Vec::new()];
        for (name, left, right) in places {
            for ((sum, channel), gain) in sum.iter_mut().zip(&stem(name)).zip([left, right]) {
                sum.resize(sum.len().max(channel.len()), 0.0);
                sum.iter_mut().zip(channel).for_each(|(sum, x)| *sum += gain * x);
            }
        }
        let peak = sum.iter().flatten().fold(0.0_f32, |peak, x| peak.max(x.abs()));
        sum.iter_mut().flatten().for_each(|x| *x = (*x / peak * 0.891 * BITS).round() / BITS);
        sum
    })
}

/// The music with something done to it.
fn planted(change: impl FnOnce(&mut Music)) -> Quality {
    let mut music = music().clone();
    change(&mut music);
    let [left, right] = &music;
    analyse_bits(RATE, &[left, right], 24).quality
}

fn kinds(quality: &Quality) -> Vec<DefectKind> {
    quality.defects.iter().map(|defect| defect.kind).collect()
}

#[track_caller]
fn assert_found(quality: &Quality, kind: DefectKind) {
    assert_eq!(kinds(quality), [kind], "{:?}", quality.defects);
}

/// Frames all over the music, none near another.
fn places(count: usize) -> Vec<usize> {
    let frames = music()[0].len();
    (1..=count).map(|index| index * frames / (count + 1) + 37 * index).collect()
}

#[test]
fn clean_music_shows_nothing() {
    assert_eq!(kinds(&planted(|_| {})), []);
}

#[test]
fn every_stem_of_the_example_alone_shows_no_click_no_hole_and_no_clipping() {
    let stems =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/harbour_lights/audio")).unwrap();
    let names: Vec<String> = stems.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.len() >= 11, "{names:?}");
    for name in names.iter().filter(|name| name.ends_with(".flac")) {
        let [left, right] = stem(name);
        let quality = analyse_bits(RATE, &[&left, &right], 24).quality;
        assert_eq!(
            (quality.clicks.count, quality.dropouts.count, quality.clipping.runs),
            (0, 0, 0),
            "{name}: {quality:?}"
        );
    }
}

#[test]
fn hard_transients_and_edges_of_waves_are_no_clicks() {
    let seconds = 20;
    let frames = seconds * RATE as usize;
    let mut noise = Noise::new(5);
    // A burst of noise that starts at once and dies away, twice a second; a naive saw tooth and a square wave beside it.
    let burst: Vec<f32> = (0..frames).map(|n| noise.next() * (-((n % 24_000) as f32) / 1500.0).exp() * 0.5).collect();
    let kick: Vec<f32> = (0..frames)
        .map(|n| {
            let t = (n % 24_000) as f32 / RATE as f32;
            (t * 345.0).cos() * (-t / 0.08).exp() * 0.7
        })
        .collect();
    let saw: Vec<f32> = (0..frames).map(|n| (n as f32 * 55.0 / RATE as f32).fract() * 0.8 - 0.4).collect();
    let square: Vec<f32> = saw.iter().map(|x| 0.4 * x.signum()).collect();
    for (name, signal) in [("bursts", burst), ("kick", kick), ("saw", saw), ("square", square)] {
        let clicks = analyse(RATE, &[&signal, &signal]).quality.clicks;
        assert_eq!(clicks.count, 0, "{name}: {clicks:?}");
    }
}

#[test]
fn clipping_is_found_at_full_scale() {
    let quality =
        planted(|music| music.iter_mut().flatten().for_each(|x| *x = (*x * 2.0).clamp(-1.0, 1.0 - 1.0 / BITS)));
    assert_found(&quality, DefectKind::Clipping);
    assert!(quality.clipping.runs > 50 && quality.clipping.longest_samples > 5, "{:?}", quality.clipping);
}

#[test]
fn a_few_clipped_samples_are_found_where_they_are() {
    let at = places(3);
    let quality = planted(|music| at.iter().for_each(|at| music[1][*at..*at + 4].fill(-1.0)));
    assert!(kinds(&quality).contains(&DefectKind::Clipping), "{:?}", quality.defects);
    assert_eq!((quality.clipping.runs, quality.clipping.samples, quality.clipping.longest_samples), (3, 12, 4));
    let found: Vec<(u32, f64)> =
        quality.clipping.places.iter().map(|place| (place.channel, place.at_seconds)).collect();
    for ((channel, seconds), at) in found.into_iter().zip(at) {
        assert_eq!(channel, 1);
        assert!((seconds - at as f64 / f64::from(RATE)).abs() < 1e-4);
    }
}

#[test]
fn clipping_that_was_turned_down_is_found() {
    let quality = planted(|music| music.iter_mut().flatten().for_each(|x| *x = (*x * 2.0).clamp(-1.0, 1.0) * 0.7));
    assert_found(&quality, DefectKind::Clipping);
    assert_eq!((quality.clipping.runs, quality.clipping.flat_top_dbfs), (0, Some(-3.1)));
}

/// The clicks that are found of those that `change` plants at the places; everything found is one of them.
fn found_clicks(at: &[usize], change: impl Fn(&mut [f32])) -> u64 {
    let quality = planted(|music| at.iter().for_each(|at| change(&mut music[0][*at..])));
    assert_found(&quality, DefectKind::Click);
    for place in &quality.clicks.places {
        let is_planted = at.iter().any(|at| (place.at_seconds - *at as f64 / f64::from(RATE)).abs() < 0.001);
        assert!(is_planted, "something else was taken for a click: {place:?}");
    }
    quality.clicks.count
}

#[test]
fn every_click_is_found_where_it_is() {
    let at = places(12);
    let towards_zero = |x: f32| if x > 0.0 { -1.0 } else { 1.0 };
    for height in [0.5, 0.15] {
        let found = found_clicks(&at, |x| x[0] += height * towards_zero(x[0]));
        assert_eq!(found, 12, "of one sample of {height}");
    }
    // A burst that swings, and one that stays to one side.
    let found = found_clicks(&at, |x| {
        (0..9).for_each(|n| x[n] += 0.3 * towards_zero(x[0]) * if n % 2 == 0 { 1.0 } else { -0.8 })
    });
    assert_eq!(found, 12, "of nine samples that swing");
    let found = found_clicks(&at, |x| (0..4).for_each(|n| x[n] += 0.3 * towards_zero(x[0])));
    assert_eq!(found, 12, "of four samples to one side");
}

#[test]
fn clicks_are_found_at_every_rate_and_between_channels_that_have_none() {
    for rate in [44_100, 48_000, 88_200, 96_000, 176_400, 192_000] {
        let mut noise = Noise::new(7);
        let clean: Vec<f32> = sound(rate, 4).into_iter().map(|x| x + 0.001 * noise.next()).collect();
        let mut clicked = clean.clone();
        let at: Vec<usize> = (1..8).map(|n| n * rate as usize / 2 + 101 * n).collect();
        at.iter().for_each(|at| clicked[*at] += 0.1);
        let clicks = |channels: &[&[f32]]| analyse_bits(rate, channels, 24).quality.clicks;
        assert_eq!(clicks(&[&clean, &clean]).count, 0, "{rate} Hz");
        let found = clicks(&[&clean, &clicked]);
        assert_eq!(found.count, 7, "{rate} Hz: {found:?}");
        for (place, at) in found.places.iter().zip(&at) {
            let off = place.at_seconds - *at as f64 / f64::from(rate);
            assert!(place.channel == 1 && off.abs() < 0.0005, "{rate} Hz: {place:?}");
        }
    }
}

#[test]
fn a_file_that_begins_or_ends_in_the_middle_of_a_sound_has_no_click_there() {
    let [left, right] = music();
    for from in places(6) {
        let (left, right) = (&left[from..from + 2 * RATE as usize], &right[from..from + 2 * RATE as usize]);
        let clicks = analyse_bits(RATE, &[left, right], 24).quality.clicks;
        assert_eq!(clicks.count, 0, "from {from}: {clicks:?}");
    }
}

#[test]
fn a_click_of_minus_30_dbfs_is_found_wherever_the_music_does_not_mask_it() {
    // In the left channel the drums rest here and there: what stands between them is heard.
    let at = places(40);
    let found = found_clicks(&at, |x| x[0] += 0.03);
    assert!(found >= 15, "{found}");
}

#[test]
fn every_hole_is_found_where_it_is_even_under_dither() {
    let at = places(8);
    let mut noise = Noise::new(3);
    for lsb in [0.0, 1.0 / 32_768.0] {
        for milliseconds in [3, 20, 60] {
            let frames = milliseconds * RATE as usize / 1000;
            let quality = planted(|music| {
                for at in &at {
                    music[0][*at..*at + frames].iter_mut().for_each(|x| *x = ((noise.next() * 1.5).round()) * lsb);
                }
            });
            let found = &quality.dropouts.places;
            assert_eq!((found.len(), quality.dropouts.count), (8, 8), "{milliseconds} ms: {found:?}");
            for place in found {
                assert!(
                    at.iter().any(|at| (place.at_seconds - *at as f64 / f64::from(RATE)).abs() < 0.001),
                    "{place:?}"
                );
                assert!((place.length_ms - milliseconds as f64).abs() < 1.0, "{place:?}");
            }
            let others = kinds(&quality).iter().any(|kind| ![DefectKind::Dropout, DefectKind::Click].contains(kind));
            assert!(!others, "{:?}", quality.defects);
        }
    }
}

#[test]
fn direct_current_is_found_and_measured() {
    let quality = planted(|music| music[1].iter_mut().for_each(|x| *x = ((*x * 0.9 + 0.01) * BITS).round() / BITS));
    assert_found(&quality, DefectKind::Dc);
    let [left, right] = quality.channels.as_slice() else { panic!("two channels") };
    assert!((right.dc - 0.01).abs() < 0.001 && left.dc.abs() < 0.001, "{} {}", left.dc, right.dc);
}

#[test]
fn an_inverted_channel_is_found() {
    let quality = planted(|music| music[1].iter_mut().for_each(|x| *x = -*x));
    assert_found(&quality, DefectKind::InvertedChannel);
    let stereo = quality.stereo.unwrap();
    assert!(stereo.mono_loss_lu.unwrap() > 6.0 && stereo.bands.iter().any(|band| band.in_trouble), "{stereo:?}");
}

#[test]
fn mono_as_stereo_is_found_even_under_dither() {
    let quality = planted(|music| music[1] = music[0].clone());
    assert_found(&quality, DefectKind::MonoAsStereo);
    let mut noise = Noise::new(9);
    let quality = planted(|music| {
        music[1] = music[0].clone();
        let mut dithered =
            |x: &f32| ((*x * 32_768.0 + noise.next() + noise.next()).round() / 32_768.0).clamp(-1.0, 1.0);
        *music = [music[0].iter().map(&mut dithered).collect(), music[1].iter().map(&mut dithered).collect()];
    });
    assert_eq!(kinds(&quality), [DefectKind::MonoAsStereo, DefectKind::PaddedBits]);
}

#[test]
fn sixteen_bits_padded_to_24_are_found() {
    let quality = planted(|music| music.iter_mut().flatten().for_each(|x| *x = (*x * 32_768.0).round() / 32_768.0));
    assert_found(&quality, DefectKind::PaddedBits);
    assert_eq!(quality.bits.used, Some(16));
}

#[test]
fn silence_at_head_and_tail_is_found_and_measured() {
    let quality = planted(|music| {
        for channel in music {
            channel.splice(0..0, vec![0.0; 3 * RATE as usize]);
            channel.extend(vec![0.0; 7 * RATE as usize]);
        }
    });
    assert_eq!(kinds(&quality), [DefectKind::SilentHead, DefectKind::SilentTail]);
    let silence = &quality.silence;
    assert!(silence.head_seconds >= 3.0 && silence.tail_seconds >= 7.0, "{silence:?}");
    assert!((3.0..3.5).contains(&silence.digital_head_seconds), "{silence:?}");
}

#[test]
fn silent_files_silent_channels_and_samples_that_are_no_numbers_are_found() {
    assert_found(&planted(|music| music.iter_mut().flatten().for_each(|x| *x = 0.0)), DefectKind::Silent);
    assert_found(&planted(|music| music[0].fill(0.0)), DefectKind::SilentChannel);
    let quality = planted(|music| music[0][1000] = f32::NAN);
    assert_eq!((kinds(&quality)[0], quality.not_numbers), (DefectKind::NotNumbers, 1));
}

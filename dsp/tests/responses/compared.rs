//! Processors that are one sum of the channels, and the clipper, against ffmpeg and sox where those define the same.

use mixdown_dsp::nodes::{
    Channels, Clipper, Direction, Gain, MidSide, Mono, Pan, Polarity, Processor, Swap, Take, Trim, Width,
};

use super::db;
use super::support::{noise, render};
use super::tools::{filter, read_f32, sox};

/// The greatest difference between what a processor and what another tool made of the same noise.
fn apart(processor: &Processor, theirs: &[u8]) -> f32 {
    let ours = render(processor, 48_000, &input());
    let theirs = read_f32(theirs, ours.len());
    assert_eq!(ours[0].len(), theirs[0].len());
    let pairs = ours.iter().flatten().zip(theirs.iter().flatten());
    pairs.map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f32::max)
}

/// So soft that no gain below leaves the range of integers.
fn input() -> Vec<Vec<f32>> {
    noise(2, 20_000, 0.2)
}

/// A sample of up to 1 rounds to 32 bits by at most so much, twice.
const ROUNDING: f32 = 1.2e-7;

#[test]
fn sums_of_the_channels_are_those_of_ffmpeg() {
    let folder = tempfile::tempdir().expect("because there is room for a folder");
    let balance = |position| Processor::Pan(Pan { position, ..Pan::default() });
    let turned = |channels| Processor::Polarity(Polarity { channels });
    for (processor, graph, most) in [
        (Processor::Gain(Gain { gain_db: -7.3, ..Gain::default() }), "volume=-7.3dB:precision=double", ROUNDING),
        (Processor::Gain(Gain { gain_db: 12.5, ..Gain::default() }), "volume=12.5dB:precision=double", ROUNDING),
        (balance(0.37), "stereotools=balance_in=0.37:bmode_in=balance", ROUNDING),
        (balance(-0.8), "stereotools=balance_in=-0.8:bmode_in=balance", ROUNDING),
        (Processor::Width(Width { width: 1.6 }), "extrastereo=m=1.6:c=false", ROUNDING),
        (Processor::Width(Width { width: 0.0 }), "extrastereo=m=0:c=false", ROUNDING),
        (Processor::MidSide(MidSide { direction: Direction::Encode }), "stereotools=mode=lr>ms", ROUNDING),
        (Processor::MidSide(MidSide { direction: Direction::Decode }), "stereotools=mode=ms>lr", ROUNDING),
        (turned(Channels::Both), "stereotools=phasel=true:phaser=true", 0.0),
        (turned(Channels::Left), "stereotools=phasel=true", 0.0),
        (turned(Channels::Right), "stereotools=phaser=true", 0.0),
        (Processor::Swap(Swap {}), "channelmap=1|0", 0.0),
    ] {
        let apart = apart(&processor, &filter(folder.path(), &[&input()], graph));
        assert!(apart <= most, "{graph}: {apart}");
    }
}

#[test]
fn trims_and_mono_sums_are_those_of_sox() {
    let folder = tempfile::tempdir().expect("because there is room for a folder");
    let mono = |take| Processor::Mono(Mono { take });
    for (processor, remix) in [
        (Processor::Trim(Trim { gain_db: -6.5, left_db: 2.25, right_db: -1.75 }), &["1p-4.25", "2p-8.25"][..]),
        (mono(Take::Sum), &["1,2"]),
        (mono(Take::Left), &["1"]),
        (mono(Take::Right), &["2"]),
        (mono(Take::Side), &["1v0.5,2v-0.5"]),
    ] {
        let arguments = [&["remix"], remix].concat();
        let apart = apart(&processor, &sox(folder.path(), &input(), &arguments));
        assert!(apart <= ROUNDING, "{arguments:?}: {apart}");
    }
}

#[test]
fn a_hard_clip_is_that_of_ffmpeg_where_nothing_aliases() {
    let folder = tempfile::tempdir().expect("because there is room for a folder");
    let tone = |n: i32| 4.0 * mixdown_dsp::math::sin(core::f64::consts::TAU * 100.0 * f64::from(n) / 48_000.0);
    let input: Vec<f32> = (0..48_000).map(|n| tone(n) as f32).collect();
    let graph = "asoftclip=type=hard";
    let theirs = read_f32(&filter(folder.path(), &[std::slice::from_ref(&input)], graph), 1).remove(0);
    let processor = Processor::Clipper(Clipper { ceiling_db: 0.0, ..Clipper::default() });
    let latency = processor.parameters().latency_frames(48_000);
    let ours = render(&processor, 48_000, &[input]).remove(0);
    let pairs = ours[12_000 + latency..].iter().zip(&theirs[12_000..]);
    let (error, count) = pairs.fold((0.0, 0.0), |(sum, count), (a, b)| {
        let difference = f64::from(a - b);
        (sum + difference * difference, count + 1.0)
    });
    let residue_db = db(error / count) / 2.0;
    println!("{residue_db:.1} dB");
    // The harmonics of the cut from the band edge on are not there in ours, and folded in theirs.
    assert!(residue_db < -72.0, "{residue_db} dB");
}

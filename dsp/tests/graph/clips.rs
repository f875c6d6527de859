//! What the clips of a track become.

use serde_json::json;

use crate::studio::{PLAIN, Studio, impulse, noise};

#[test]
fn clips_play_their_part_of_the_file_at_their_place() {
    let mut studio = Studio::new();
    let file = noise(1, 1000, 0.5);
    studio.asset("a.wav", std::slice::from_ref(&file));
    let session = studio.session(json!({ "tracks": [{ "name": "T", "clips": [
        { "file": "a.wav", "at": 300, "offset": 100, "length": 200 },
        { "file": "a.wav", "at": 700, "offset": 900 },
    ] }] }));
    let stem = &studio.render(&session, PLAIN).stems[0][0];
    assert_eq!(stem.len(), 800);
    assert!(stem[..300].iter().all(|sample| sample.to_bits() == 0));
    assert_eq!(stem[300..500], file[100..300]);
    assert!(stem[500..700].iter().all(|sample| sample.to_bits() == 0));
    assert_eq!(stem[700..], file[900..]);
}

#[test]
fn overlapping_clips_sum_and_a_crossfade_of_equal_gain_within_one_take_is_inaudible() {
    let mut studio = Studio::new();
    let take = noise(2, 4000, 0.9);
    studio.asset("take.wav", std::slice::from_ref(&take));
    let fade = json!({ "length": 500, "curve": "linear" });
    let session = studio.session(json!({ "tracks": [{ "name": "T", "clips": [
        { "file": "take.wav", "length": 2500, "fade_out": fade },
        { "file": "take.wav", "at": 2000, "offset": 2000, "fade_in": fade },
    ] }] }));
    let stem = &studio.render(&session, PLAIN).stems[0][0];
    for (frame, (rendered, original)) in stem.iter().zip(&take).enumerate() {
        assert!((rendered - original).abs() <= f32::EPSILON, "frame {frame}: {rendered} for {original}");
    }
}

#[test]
fn a_mono_clip_on_a_stereo_track_sounds_on_both_sides_as_loud_as_it_is() {
    let mut studio = Studio::new();
    let file = noise(3, 500, 0.5);
    studio.asset("mono.wav", std::slice::from_ref(&file));
    studio.asset("stereo.wav", &[impulse(0, 10), impulse(9, 10)]);
    let session = studio.session(json!({ "tracks": [{ "name": "T", "clips": [
        { "file": "mono.wav" }, { "file": "stereo.wav", "at": 1000 },
    ] }] }));
    let stem = &studio.render(&session, PLAIN).stems[0];
    assert_eq!((&stem[0][..500], &stem[1][..500]), (&file[..], &file[..]));
    assert_eq!((stem[0][1000], stem[1][1009]), (1.0, 1.0));
}

#[test]
fn clip_gain_is_in_decibels() {
    let mut studio = Studio::new();
    studio.asset("one.wav", &[vec![1.0; 10]]);
    let session = studio.session(json!({ "tracks": [{ "name": "T", "clips": [
        { "file": "one.wav", "gain_db": -20.0 },
    ] }] }));
    assert_eq!(studio.render(&session, PLAIN).stems[0][0], vec![0.1; 10]);
}

//! Null tests: what must cancel.

use mixdown_dsp::nodes::Processor;
use serde_json::json;

use crate::studio::{PLAIN, Studio, noise};

#[test]
fn copies_of_turned_polarity_cancel_to_exact_zero() {
    let mut studio = Studio::new();
    studio.asset("a.wav", &[noise(1, 5000, 0.9), noise(2, 5000, 0.9)]);
    let automation = json!([{ "parameter": "fader_db", "points": [
        { "at": 0, "value": -30.0 }, { "at": 4000, "value": 3.3 },
    ] }]);
    let track = |name: &str, turned: bool| {
        json!({ "name": name, "clips": [{ "file": "a.wav", "gain_db": -1.7 }], "pan": 0.3, "invert_polarity": turned,
            "automation": automation })
    };
    let session = studio.session(json!({ "tracks": [track("A", false), track("B", true)] }));
    let mix = &studio.render(&session, PLAIN).mixes[0];
    assert!(mix.iter().flatten().all(|sample| sample.to_bits() == 0));
}

#[test]
fn stems_summed_with_the_same_faders_equal_the_unprocessed_mix() {
    let mut studio = Studio::new();
    let faders = [-3.0, -4.5, 1.25, -12.0, 0.0, -7.3, -2.2, -5.9];
    let mut tracks = Vec::new();
    for (index, fader_db) in faders.iter().enumerate() {
        let name = format!("{index}.wav");
        studio.asset(&name, &[noise(index as u64, 9000, 0.25), noise(index as u64 + 100, 9000, 0.25)]);
        tracks.push(json!({ "name": format!("T{index}"), "fader_db": fader_db, "clips": [
            { "file": name, "at": index * 37, "fade_in": { "length": 1000 }, "gain_db": -0.5 },
        ] }));
    }
    let session = studio.session(json!({ "tracks": tracks }));
    let rendered = studio.render(&session, PLAIN);
    for (channel, mix) in rendered.mixes[0].iter().enumerate() {
        for (frame, sample) in mix.iter().enumerate() {
            let sum: f64 = rendered
                .stems
                .iter()
                .zip(faders)
                .map(|(stem, db)| {
                    let sample = stem[channel].get(frame).copied().unwrap_or(0.0);
                    f64::from(sample) * mixdown_dsp::units::gain_from_db(db)
                })
                .sum();
            let error = (f64::from(*sample) - sum).abs();
            assert!(error < 1e-7, "frame {frame}: the null stands at {error}, above -140 dBFS");
        }
    }
}

#[test]
fn every_processor_bypassed_cancels_against_the_track_without_it() {
    let mut studio = Studio::new();
    studio.asset("a.wav", &[noise(1, 3000, 0.9), noise(2, 3000, 0.9)]);
    let mut tracks = Vec::new();
    for processor in Processor::all() {
        let mut insert = serde_json::to_value(&processor).expect("because parameters are numbers and names");
        let parameters = &mut insert[processor.name()];
        if parameters.get("file").is_some() {
            parameters["file"] = json!("a.wav");
        }
        insert["bypass"] = json!(true);
        let clips = json!([{ "file": "a.wav" }]);
        let name = processor.name();
        tracks.push(json!({ "name": name, "clips": clips, "inserts": [insert] }));
        tracks.push(json!({ "name": format!("{name}, none"), "clips": clips, "invert_polarity": true }));
    }
    let session = studio.session(json!({ "tracks": tracks }));
    let mix = &studio.render(&session, PLAIN).mixes[0];
    assert!(mix.iter().flatten().all(|sample| sample.to_bits() == 0));
}

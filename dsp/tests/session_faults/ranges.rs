//! Every number of every processor, a little beyond either end of its range.

use mixdown_dsp::nodes::Processor;
use mixdown_dsp::session::from_json;
use serde_json::{Value, json};

/// Every processor, those of bands with a band of their own.
fn processors() -> Vec<Value> {
    let with_bands = |name: &str| json!({ name: { "bands": [{ "kind": "bell", "frequency_hz": 1000.0 }] } });
    let document = |processor: Processor| match processor.name() {
        name @ ("eq" | "dynamic_eq") => with_bands(name),
        _ => serde_json::to_value(&processor).unwrap(),
    };
    Processor::all().into_iter().map(document).collect()
}

fn session(insert: &Value) -> Value {
    json!({
        "version": 1,
        "sample_rate_hz": 192_000,
        "end": 192_000,
        "tracks": [{ "name": "Lead", "clips": [], "inserts": [insert] }],
        "deliverables": [{ "name": "out", "mix": "main", "format": "wav", "depth": "24" }],
    })
}

#[test]
fn a_number_beyond_its_range_is_told_at_its_place_with_the_range() {
    let mut tried = 0;
    for insert in processors() {
        let processor: Processor = serde_json::from_value(insert.clone()).unwrap();
        let name = processor.name();
        for spec in processor.parameters().specs() {
            for (value, bound) in [(spec.min - 0.25, spec.min), (spec.max + 0.25, spec.max)] {
                let mut insert = insert.clone();
                // Bands and other lists count from 1, and may be shorter in the document.
                let mut place = &mut insert[name];
                let mut pointer = format!("/tracks/0/inserts/0/{name}");
                for part in spec.name.split('.') {
                    place = match part.parse::<usize>() {
                        Ok(number) => {
                            let list = place.as_array_mut().unwrap();
                            list.resize(list.len().max(number), json!(1.0));
                            pointer += &format!("/{}", number - 1);
                            &mut list[number - 1]
                        }
                        Err(_) => {
                            pointer += &format!("/{part}");
                            &mut place[part]
                        }
                    };
                }
                *place = json!(value);
                let faults = from_json(&session(&insert).to_string()).expect_err(&pointer);
                let fault = faults.0.iter().find(|fault| fault.pointer == pointer);
                let fault = fault.unwrap_or_else(|| panic!("{pointer} = {value}: {faults}"));
                assert_eq!(fault.code, "out_of_range", "{fault:?}");
                assert!(fault.expected.contains(&bound.to_string()), "{pointer} = {value}: {fault:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 250, "{tried}");
}

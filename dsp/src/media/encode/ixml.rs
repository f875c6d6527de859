//! What broadcast wave files say in XML: iXML (ixml.info, version 2.10), and the ISRC by EBU Tech 3352.

use std::fmt::Write as _;

use super::bext::{BroadcastSpec, Loudness, Texts};
use super::{FileSpec, channel_names};
use crate::loudness::Measurement;

/// Elements of XML, one a line.
#[derive(Default)]
struct Xml {
    text: String,
    open: Vec<&'static str>,
}

impl Xml {
    fn begin(&mut self, name: &'static str) {
        let _ = writeln!(self.text, "<{name}>");
        self.open.push(name);
    }

    fn end(&mut self) {
        if let Some(name) = self.open.pop() {
            let _ = writeln!(self.text, "</{name}>");
        }
    }

    fn element(&mut self, name: &str, value: impl ToString) {
        let _ = writeln!(self.text, "<{name}>{}</{name}>", escaped(&value.to_string()));
    }

    fn optional(&mut self, name: &str, value: &Option<String>) {
        if let Some(value) = value {
            self.element(name, value);
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The document of the `iXML` chunk.
pub(super) fn document(spec: &FileSpec, broadcast: &BroadcastSpec, measured: Option<&Measurement>) -> String {
    let mut xml = Xml { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(), open: Vec::new() };
    let said = &broadcast.said;
    let (high, low) = (broadcast.time_reference_frames >> 32, broadcast.time_reference_frames as u32);
    xml.begin("BWFXML");
    xml.element("IXML_VERSION", "2.10");
    xml.optional("PROJECT", &said.project);
    xml.optional("SCENE", &said.scene);
    xml.optional("TAKE", &said.take);
    xml.optional("TAPE", &said.tape);
    xml.optional("NOTE", &said.note);
    xml.begin("SPEED");
    xml.element("FILE_SAMPLE_RATE", spec.sample_rate_hz);
    xml.element("AUDIO_BIT_DEPTH", 8 * spec.depth.sample_bytes());
    xml.element("DIGITIZER_SAMPLE_RATE", spec.sample_rate_hz);
    xml.element("TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI", high);
    xml.element("TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO", low);
    xml.element("TIMESTAMP_SAMPLE_RATE", spec.sample_rate_hz);
    xml.end();
    xml.begin("TRACK_LIST");
    xml.element("TRACK_COUNT", spec.channels);
    for (index, name) in channel_names(spec.channels).iter().enumerate() {
        xml.begin("TRACK");
        xml.element("CHANNEL_INDEX", index + 1);
        xml.element("INTERLEAVE_INDEX", index + 1);
        xml.element("NAME", name);
        xml.end();
    }
    xml.end();
    bext(&mut xml, spec, broadcast, measured);
    xml.end();
    xml.text
}

/// The fields of the `bext` chunk once more, for those who read only this one.
fn bext(xml: &mut Xml, spec: &FileSpec, broadcast: &BroadcastSpec, measured: Option<&Measurement>) {
    let texts = Texts::of(spec, broadcast);
    let Loudness { value, range, max_true_peak, max_momentary, max_short_term } = Loudness::of(measured);
    xml.begin("BEXT");
    xml.element("BWF_DESCRIPTION", texts.description);
    xml.element("BWF_ORIGINATOR", texts.originator);
    xml.element("BWF_ORIGINATOR_REFERENCE", texts.originator_reference);
    xml.element("BWF_ORIGINATION_DATE", texts.origination_date);
    xml.element("BWF_ORIGINATION_TIME", texts.origination_time);
    xml.element("BWF_TIME_REFERENCE_LOW", broadcast.time_reference_frames as u32);
    xml.element("BWF_TIME_REFERENCE_HIGH", broadcast.time_reference_frames >> 32);
    xml.element("BWF_VERSION", "2.0");
    xml.element("BWF_CODING_HISTORY", broadcast.coding_history.trim_end());
    let loudness = [
        ("BWF_LOUDNESS_VALUE", value),
        ("BWF_LOUDNESS_RANGE", range),
        ("BWF_MAX_TRUE_PEAK_LEVEL", max_true_peak),
        ("BWF_MAX_MOMENTARY_LOUDNESS", max_momentary),
        ("BWF_MAX_SHORT_TERM_LOUDNESS", max_short_term),
    ];
    for (name, hundredths) in loudness {
        xml.element(name, hundredths);
    }
    xml.end();
}

/// The document of the `axml` chunk that carries an ISRC (EBU Tech 3352, EBUCore).
pub(super) fn identifier(isrc: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ebuCoreMain xmlns=\"urn:ebu:metadata-schema:ebuCore_2012\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n\
         <coreMetadata>\n\
         <identifier typeLabel=\"GUID\" typeDefinition=\"Globally Unique Identifier\" formatLabel=\"ISRC\" \
         formatDefinition=\"International Standard Recording Code\" \
         formatLink=\"http://www.ebu.ch/metadata/cs/ebu_IdentifierTypeCodeCS.xml#3.7\">\n\
         <dc:identifier>ISRC:{}</dc:identifier>\n\
         </identifier>\n</coreMetadata>\n</ebuCoreMain>\n",
        escaped(isrc)
    )
}

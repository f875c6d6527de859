//! Opus (RFC 6716) behind symphonia's decoder trait, so that it is read as every other codec in a container is.
//!
//! The output gain of the header is applied, as RFC 7845 §5.1 wants; the pre-skip is left to the reader, which takes off
//! what encoders put before the programme.

use opus_pure::{MAX_PACKET_SAMPLES, OpusDecoder, OpusMSDecoder};
use symphonia::core::audio::{AsGenericAudioBufferRef, Audio, AudioBuffer, AudioMut, AudioSpec, GenericAudioBufferRef};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, FinalizeResult};
use symphonia::core::errors::{Error, Result};
use symphonia::core::packet::PacketRef;

/// Rate at which Opus is decoded, whatever it was made of; its positions count in it (RFC 7845 §4).
const SAMPLE_RATE_HZ: u32 = 48_000;

const CODEC: CodecInfo = CodecInfo { short_name: "opus", long_name: "Opus (RFC 6716)", profiles: &[] };

/// Where the channels of mapping family 1, which come in Vorbis' order (RFC 7845 §5.1.1.2), go in the order of WAVE:
/// per channel decoded, its place.
const PLACES: [&[usize]; 8] = [
    &[0],
    &[0, 1],
    &[0, 2, 1],
    &[0, 1, 2, 3],
    &[0, 2, 1, 3, 4],
    &[0, 2, 1, 4, 5, 3],
    &[0, 2, 1, 5, 6, 4, 3],
    &[0, 2, 1, 6, 7, 4, 5, 3],
];

enum Inner {
    /// Mono or stereo.
    One(Box<OpusDecoder>),
    /// Up to 8 channels in several streams.
    Several(Box<OpusMSDecoder>),
}

/// Decodes the packets of one Opus stream.
pub(super) struct Opus {
    inner: Inner,
    parameters: AudioCodecParameters,
    places: &'static [usize],
    interleaved: Vec<f32>,
    decoded: AudioBuffer<f32>,
}

impl Opus {
    /// A decoder for the stream whose identification header (`OpusHead`, RFC 7845 §5.1) the parameters carry.
    pub(super) fn new(parameters: &AudioCodecParameters) -> Result<Self> {
        let (Some(head), Some(layout)) = (&parameters.extra_data, &parameters.channels) else {
            return Err(Error::DecodeError("opus: no identification header"));
        };
        let channels = layout.count();
        let (Some(gain), Some(family), Some(places)) =
            (head.get(16..18), head.get(18), channels.checked_sub(1).and_then(|index| PLACES.get(index)))
        else {
            return Err(Error::DecodeError("opus: a broken identification header"));
        };
        let gain_q8 = i32::from(i16::from_le_bytes([gain[0], gain[1]]));
        let inner = if *family == 0 {
            let mut decoder = OpusDecoder::new(SAMPLE_RATE_HZ as i32, channels).map_err(broken)?;
            decoder.gain_q8 = gain_q8;
            Inner::One(Box::new(decoder))
        } else {
            let mut decoder = OpusMSDecoder::new(SAMPLE_RATE_HZ as i32, channels, *family).map_err(broken)?;
            // Streams, coupled streams and the mapping, as every encoder of family 1 writes them.
            let usual = decoder.layout();
            let found = head.get(19..21 + channels);
            let expected =
                [&[usual.nb_streams as u8, usual.nb_coupled_streams as u8], usual.mapping.as_slice()].concat();
            if found != Some(expected.as_slice()) {
                return Err(Error::Unsupported("opus: channels in an unusual mapping"));
            }
            decoder.streams_mut().iter_mut().for_each(|stream| stream.gain_q8 = gain_q8);
            Inner::Several(Box::new(decoder))
        };
        let spec = AudioSpec::new(SAMPLE_RATE_HZ, layout.clone());
        Ok(Self {
            inner,
            parameters: parameters.clone(),
            places,
            interleaved: vec![0.0; MAX_PACKET_SAMPLES * channels],
            decoded: AudioBuffer::new(spec, MAX_PACKET_SAMPLES),
        })
    }
}

fn broken(_: opus_pure::Error) -> Error {
    Error::DecodeError("opus: the stream is broken")
}

impl AudioDecoder for Opus {
    fn reset(&mut self) {
        // It refuses only a decoder that was never set up.
        let _ = match &mut self.inner {
            Inner::One(decoder) => decoder.reset_state(),
            Inner::Several(decoder) => decoder.reset_state(),
        };
    }

    fn codec_info(&self) -> &CodecInfo {
        &CODEC
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.parameters
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.decoded.clear();
        // To the decoder an empty packet is a lost one, to be made up; no file has such.
        if packet.data.is_empty() {
            return Err(Error::DecodeError("opus: an empty packet"));
        }
        let frames = match &mut self.inner {
            Inner::One(decoder) => decoder.decode(packet.data, MAX_PACKET_SAMPLES, &mut self.interleaved),
            Inner::Several(decoder) => decoder.decode(packet.data, MAX_PACKET_SAMPLES, &mut self.interleaved),
        }
        .map_err(broken)?;
        self.decoded.render_uninit(Some(frames));
        let channels = self.places.len();
        for (channel, place) in self.places.iter().enumerate() {
            let Some(plane) = self.decoded.plane_mut(*place) else { continue };
            let samples = self.interleaved.iter().skip(channel).step_by(channels);
            plane.iter_mut().zip(samples).for_each(|(to, from)| *to = *from);
        }
        debug_assert_eq!(self.decoded.frames(), frames);
        Ok(self.decoded.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.decoded.as_generic_audio_buffer_ref()
    }
}

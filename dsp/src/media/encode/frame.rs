//! One frame of FLAC, RFC 9639 §9: a header, a subframe per channel, checksums.

use super::bits::{BitWriter, crc_8, crc_16};
use super::predict::{self, MAX_FIXED_ORDER, PRECISION, Predictor};
use super::rice::{self, Coding};
use crate::math;

/// How two channels are stored, by its code in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stereo {
    LeftRight = 0b0001,
    LeftSide = 0b1000,
    SideRight = 0b1001,
    MidSide = 0b1010,
}

/// How one channel of a block is to be coded.
#[derive(Debug)]
enum Subframe {
    Constant,
    Verbatim,
    Fixed(usize, Coding),
    Lpc(Predictor, Coding),
}

/// Encodes blocks of one stream.
#[derive(Debug)]
pub(super) struct FrameEncoder {
    sample_rate_hz: u32,
    bits: u32,
    out: BitWriter,
    channels: Vec<Vec<i32>>,
    mid: Vec<i32>,
    side: Vec<i32>,
    fixed: Vec<i32>,
    predicted: Vec<i32>,
    windowed: Vec<f64>,
}

impl FrameEncoder {
    /// An encoder for 1 or 2 channels of `bits` (16 or 24) bits.
    pub(super) fn new(sample_rate_hz: u32, channels: usize, bits: u32) -> Self {
        Self {
            sample_rate_hz,
            bits,
            out: BitWriter::default(),
            channels: vec![Vec::new(); channels],
            mid: Vec::new(),
            side: Vec::new(),
            fixed: Vec::new(),
            predicted: Vec::new(),
            windowed: Vec::new(),
        }
    }

    /// Encodes a block of interleaved samples, at most 65535 frames, as frame `number` of the stream.
    pub(super) fn encode(&mut self, interleaved: &[i32], number: u32) -> &[u8] {
        let count = self.channels.len();
        for (index, channel) in self.channels.iter_mut().enumerate() {
            channel.clear();
            channel.extend(interleaved[index..].iter().step_by(count));
        }
        let frames = interleaved.len() / count;
        self.out.clear();
        if count == 1 {
            self.header(frames, number, 0);
            let samples = std::mem::take(&mut self.channels[0]);
            self.subframe(&samples, self.bits);
            self.channels[0] = samples;
        } else {
            let stereo = self.choose_stereo();
            self.header(frames, number, stereo as u32);
            let (left, right) = (std::mem::take(&mut self.channels[0]), std::mem::take(&mut self.channels[1]));
            let (mid, side) = (std::mem::take(&mut self.mid), std::mem::take(&mut self.side));
            let (first, second) = match stereo {
                Stereo::LeftRight => ((&left, self.bits), (&right, self.bits)),
                Stereo::LeftSide => ((&left, self.bits), (&side, self.bits + 1)),
                Stereo::SideRight => ((&side, self.bits + 1), (&right, self.bits)),
                Stereo::MidSide => ((&mid, self.bits), (&side, self.bits + 1)),
            };
            self.subframe(first.0, first.1);
            self.subframe(second.0, second.1);
            (self.channels[0], self.channels[1], self.mid, self.side) = (left, right, mid, side);
        }
        let bytes = self.out.aligned();
        let crc = crc_16(bytes);
        bytes.extend_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// Computes mid and side, and picks the pair whose fixed residuals are least.
    fn choose_stereo(&mut self) -> Stereo {
        let (left, right) = (&self.channels[0], &self.channels[1]);
        self.mid.clear();
        self.mid.extend(left.iter().zip(right).map(|(left, right)| (left + right) >> 1));
        self.side.clear();
        self.side.extend(left.iter().zip(right).map(|(left, right)| left - right));
        let [left, right, mid, side] = [left, right, &self.mid, &self.side].map(|samples| {
            // A residual of this mean magnitude takes about its logarithm in bits a sample.
            let (_, sum) = predict::best_fixed_order(samples);
            math::log2(1.0 + sum as f64 / samples.len() as f64)
        });
        let pairs = [
            (left + right, Stereo::LeftRight),
            (left + side, Stereo::LeftSide),
            (side + right, Stereo::SideRight),
            (mid + side, Stereo::MidSide),
        ];
        pairs.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).map_or(Stereo::LeftRight, |(_, stereo)| stereo)
    }

    /// Writes the frame's header, RFC 9639 §9.1.
    fn header(&mut self, frames: usize, number: u32, channels: u32) {
        let size = frames as u32;
        let size_code = match size {
            4096 => 0b1100,
            1..=256 => 0b0110,
            _ => 0b0111,
        };
        let rate = self.sample_rate_hz;
        let rate_code = match rate {
            88_200 => 0b0001,
            176_400 => 0b0010,
            192_000 => 0b0011,
            8_000 => 0b0100,
            16_000 => 0b0101,
            22_050 => 0b0110,
            24_000 => 0b0111,
            32_000 => 0b1000,
            44_100 => 0b1001,
            48_000 => 0b1010,
            96_000 => 0b1011,
            1..=0xFFFF => 0b1101,
            _ => 0b0000,
        };
        let out = &mut self.out;
        out.put(0b1111_1111_1111_1000, 16);
        out.put(size_code, 4);
        out.put(rate_code, 4);
        out.put(channels, 4);
        out.put(if self.bits == 16 { 0b100 } else { 0b110 }, 3);
        out.put(0, 1);
        put_number(number, out);
        match size_code {
            0b0110 => out.put(size - 1, 8),
            0b0111 => out.put(size - 1, 16),
            _ => {}
        }
        if rate_code == 0b1101 {
            out.put(rate, 16);
        }
        let crc = crc_8(out.aligned());
        out.put(u32::from(crc), 8);
    }

    /// Writes one channel, RFC 9639 §9.2.
    fn subframe(&mut self, samples: &[i32], bits: u32) {
        let wasted = samples.iter().fold(0, |all, sample| all | sample).trailing_zeros();
        // Zeros at the foot of every sample are told once; a silent block has nothing else.
        if wasted > 0 && wasted < bits {
            let narrowed: Vec<i32> = samples.iter().map(|sample| sample >> wasted).collect();
            self.write_subframe(&narrowed, bits - wasted, wasted);
        } else {
            self.write_subframe(samples, bits, 0);
        }
    }

    fn write_subframe(&mut self, samples: &[i32], bits: u32, wasted: u32) {
        let plan = self.plan(samples, bits);
        let kind = match &plan {
            Subframe::Constant => 0,
            Subframe::Verbatim => 1,
            Subframe::Fixed(order, _) => 0b00_1000 | *order as u32,
            Subframe::Lpc(predictor, _) => 0b10_0000 | (predictor.coefficients.len() as u32 - 1),
        };
        let out = &mut self.out;
        out.put(kind << 1 | u32::from(wasted > 0), 8);
        if wasted > 0 {
            out.put_unary(wasted - 1);
        }
        let raw =
            |out: &mut BitWriter, samples: &[i32]| samples.iter().for_each(|sample| out.put_signed(*sample, bits));
        match &plan {
            Subframe::Constant => raw(out, &samples[..1]),
            Subframe::Verbatim => raw(out, samples),
            Subframe::Fixed(order, coding) => {
                raw(out, &samples[..*order]);
                coding.write(&self.fixed, samples.len(), out);
            }
            Subframe::Lpc(predictor, coding) => {
                raw(out, &samples[..predictor.coefficients.len()]);
                out.put(PRECISION - 1, 4);
                out.put(predictor.shift, 5);
                predictor.coefficients.iter().for_each(|coefficient| out.put_signed(*coefficient, PRECISION));
                coding.write(&self.predicted, samples.len(), out);
            }
        }
    }

    /// The coding that takes the fewest bits; leaves its residual in `fixed` or `predicted`.
    fn plan(&mut self, samples: &[i32], bits: u32) -> Subframe {
        if samples.iter().all(|sample| *sample == samples[0]) {
            return Subframe::Constant;
        }
        let (mut least, mut best) = (samples.len() as u64 * u64::from(bits), Subframe::Verbatim);
        if samples.len() <= MAX_FIXED_ORDER {
            return best;
        }
        let (order, _) = predict::best_fixed_order(samples);
        predict::fixed_residual(samples, order, &mut self.fixed);
        let coding = rice::plan(&self.fixed, samples.len());
        let cost = coding.bits + order as u64 * u64::from(bits);
        if cost < least {
            (least, best) = (cost, Subframe::Fixed(order, coding));
        }
        if let Some(predictor) = predict::lpc(samples, bits, &mut self.windowed)
            && predict::lpc_residual(samples, &predictor, &mut self.predicted)
        {
            let coding = rice::plan(&self.predicted, samples.len());
            let cost = coding.bits + 9 + predictor.coefficients.len() as u64 * u64::from(bits + PRECISION);
            if cost < least {
                best = Subframe::Lpc(predictor, coding);
            }
        }
        best
    }
}

/// Writes a frame's number as UTF-8 writes code points, stretched to 31 bits: RFC 9639 §9.1.5.
fn put_number(number: u32, out: &mut BitWriter) {
    if number < 0x80 {
        return out.put(number, 8);
    }
    // Each byte behind the first holds 6 bits; the first one's leading ones count all bytes.
    let followers = (1..=5).find(|followers| number < 1 << (5 * followers + 6)).unwrap_or(5);
    let lead = (0xFF << (7 - followers)) & 0xFF;
    out.put(lead | number >> (6 * followers), 8);
    for index in (0..followers).rev() {
        out.put(0x80 | (number >> (6 * index)) & 0x3F, 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_s_number_is_written_as_utf_8_writes_a_code_point() {
        for number in [0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xFFFF, 0x1_0000, 0x10_FFFF] {
            let mut out = BitWriter::default();
            put_number(number, &mut out);
            let text = char::from_u32(number).unwrap().to_string();
            assert_eq!(*out.aligned(), text.as_bytes(), "{number:#x}");
        }
        // Beyond Unicode: RFC 2279 §2, U+200000 and U+7FFFFFFF.
        for (number, bytes) in
            [(0x20_0000, &[0xF8, 0x88, 0x80, 0x80, 0x80][..]), (0x7FFF_FFFF, &[0xFD, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF])]
        {
            let mut out = BitWriter::default();
            put_number(number, &mut out);
            assert_eq!(*out.aligned(), bytes, "{number:#x}");
        }
    }
}

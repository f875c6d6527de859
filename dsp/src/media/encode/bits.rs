//! Writes bits, most significant first, and the checksums of FLAC.

/// Bytes being filled bit by bit.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// The last `count` bits, not yet bytes.
    pending: u64,
    count: u32,
}

impl BitWriter {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        (self.pending, self.count) = (0, 0);
    }

    /// Appends the low `width` bits of `value`; `width` is at most 32, and no bit above them is set.
    pub(super) fn put(&mut self, value: u32, width: u32) {
        self.pending = self.pending << width | u64::from(value);
        self.count += width;
        if self.count >= 32 {
            self.count -= 32;
            let word = (self.pending >> self.count) as u32;
            self.bytes.extend_from_slice(&word.to_be_bytes());
        }
    }

    /// Appends the two's complement of `value` in `width` bits.
    pub(super) fn put_signed(&mut self, value: i32, width: u32) {
        self.put(value as u32 & (u32::MAX >> (32 - width)), width);
    }

    /// Appends `zeros` zeros and a one.
    pub(super) fn put_unary(&mut self, mut zeros: u32) {
        while zeros > 31 {
            self.put(0, 32);
            zeros -= 32;
        }
        self.put(1, zeros + 1);
    }

    /// Fills the last byte with zeros and gives all bytes so far.
    pub(super) fn aligned(&mut self) -> &mut Vec<u8> {
        let padding = (8 - self.count % 8) % 8;
        self.put(0, padding);
        while self.count > 0 {
            self.count -= 8;
            self.bytes.push((self.pending >> self.count) as u8);
        }
        self.pending = 0;
        &mut self.bytes
    }
}

/// The remainders of all bytes by the polynomial whose bits below the leading one are `polynomial`.
const fn crc_table<const N: usize>(polynomial: u16, width: u32) -> [u16; N] {
    let mut table = [0; N];
    let mut byte = 0;
    while byte < N {
        let (mut remainder, mut bit) = ((byte as u16) << (width - 8), 0);
        while bit < 8 {
            let carry = remainder >> (width - 1) & 1 == 1;
            remainder = (remainder << 1) ^ if carry { polynomial } else { 0 };
            bit += 1;
        }
        table[byte] = remainder & (u16::MAX >> (16 - width));
        byte += 1;
    }
    table
}

const CRC_8: [u16; 256] = crc_table(0x07, 8);
const CRC_16: [u16; 256] = crc_table(0x8005, 16);

/// x⁸ + x² + x + 1: guards a frame's header (RFC 9639 §9.1.8).
pub(super) fn crc_8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| CRC_8[usize::from(crc ^ byte)] as u8)
}

/// x¹⁶ + x¹⁵ + x² + 1: guards a frame (RFC 9639 §9.3).
pub(super) fn crc_16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| crc << 8 ^ CRC_16[usize::from((crc >> 8) as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_have_their_catalogued_check_values() {
        // CRC-8/SMBUS and CRC-16/UMTS of "123456789", in the catalogue of parametrised CRC algorithms.
        assert_eq!(crc_8(b"123456789"), 0xF4);
        assert_eq!(crc_16(b"123456789"), 0xFEE8);
    }

    #[test]
    fn bits_come_out_most_significant_first() {
        let mut bits = BitWriter::default();
        bits.put(0b101, 3);
        bits.put_signed(-2, 4);
        bits.put_unary(40);
        bits.put(0xFFFF_FFFF, 32);
        assert_eq!(*bits.aligned(), [0b1011_1100, 0, 0, 0, 0, 0b0000_0001, 0xFF, 0xFF, 0xFF, 0xFF]);
    }
}

//! What each channel counts for.

/// Ls and Rs: from 60° to 120° to the side, less than 30° up.
const SIDE: f64 = 1.41;

/// The bits of a WAVE channel mask (WAVEFORMATEXTENSIBLE).
const LFE: u32 = 1 << 3;
const BACKS: u32 = 1 << 4 | 1 << 5;
const SIDES: u32 = 1 << 9 | 1 << 10;
/// Those that WAVE defines: up to the top back right.
const DEFINED: u32 = (1 << 18) - 1;

/// The weights of the channels, BS.1770-5 tables 3 and 4: 1.41 from 60° to 120° to the side, else 1; the LFE is left out.
/// A mask with another number of bits than there are channels says nothing: the usual layout of that many is meant.
///
/// # Panics
/// If there are no channels or more than 8.
pub fn weights(channels: usize, mask: u32) -> Vec<f64> {
    assert!((1..=8).contains(&channels), "a meter has 1 to 8 channels, not {channels}");
    if mask.count_ones() as usize == channels && mask & !DEFINED == 0 {
        return by_place(mask);
    }
    const S: f64 = SIDE;
    let usual: &[f64] = match channels {
        1..=3 => &[1.0, 1.0, 1.0][..channels],
        4 => &[1.0, 1.0, S, S],
        5 => &[1.0, 1.0, 1.0, S, S],
        6 => &[1.0, 1.0, 1.0, 0.0, S, S],
        7 => &[1.0, 1.0, 1.0, 0.0, 1.0, S, S],
        _ => &[1.0, 1.0, 1.0, 0.0, 1.0, 1.0, S, S],
    };
    usual.to_vec()
}

/// The weights of the speakers in a mask. Back speakers without side ones beside them are the surrounds of 5.1 and stand at
/// 110°; with side ones, they stand at 135° and more.
fn by_place(mask: u32) -> Vec<f64> {
    let surrounds = if mask & SIDES == 0 { BACKS } else { SIDES };
    let weight = |speaker: u32| match speaker {
        LFE => 0.0,
        side if side & surrounds != 0 => SIDE,
        _ => 1.0,
    };
    (0..u32::BITS).map(|bit| 1 << bit).filter(|speaker| mask & speaker != 0).map(weight).collect()
}

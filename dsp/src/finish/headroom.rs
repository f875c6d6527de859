//! How far a ceiling must be lowered for what comes out of a codec to keep it.

/// The most times that a file is encoded to keep its ceiling after decoding.
pub const MAX_ENCODINGS: u32 = 6;

/// A decoded peak this near below the ceiling, in dB, is near enough.
const NEAR_DB: f64 = 0.2;

/// What the ceiling is lowered by beyond the overshoot, in dB: what an encoder adds to the peaks is never twice the same.
const MARGIN_DB: f64 = 0.03;

/// A lowering of the ceiling in dB, and how far the decoded file then was over the ceiling asked for (below it: negative).
type Tried = (f64, f64);

/// Finds the least lowering under which the decoded file keeps its ceiling, in at most [`MAX_ENCODINGS`] encodings: down by
/// what it is over, until it is not, then by false position between the two, each try of which narrows them.
#[derive(Debug, Default)]
pub(super) struct Headroom {
    lowered_db: f64,
    encodings: u32,
    /// The least lowering that was enough, for all that is known.
    enough: Option<Tried>,
    /// The one tried last that was not.
    short: Option<Tried>,
}

impl Headroom {
    /// By how much the ceiling is to be lowered now, in dB.
    pub(super) fn lowered_db(&self) -> f64 {
        self.lowered_db
    }

    /// Encodings so far.
    pub(super) fn encodings(&self) -> u32 {
        self.encodings
    }

    /// Takes how far the decoded file is over the ceiling, in dB; true where the file shall stay as it is.
    pub(super) fn settles(&mut self, over_db: f64) -> bool {
        self.encodings += 1;
        let tried = (self.lowered_db, over_db);
        if over_db > 0.0 {
            self.short = Some(tried);
            // An end that stays draws less and less, or the other would creep (the Illinois rule, Dowell & Jarratt, BIT 11, 1971,
            // pp. 168-174).
            self.enough = self.enough.map(|(at, under)| (at, under * 0.5));
        } else {
            let drawn = if self.enough.is_some() { 0.5 } else { 1.0 };
            self.short = self.short.map(|(at, over)| (at, over * drawn));
            self.enough = Some(tried);
        }
        let near = (-NEAR_DB..=0.0).contains(&over_db) || over_db <= 0.0 && self.lowered_db == 0.0;
        if near || self.encodings == MAX_ENCODINGS {
            return true;
        }
        self.lowered_db = match (self.short, self.enough) {
            // The last encoding is for what is known to be enough.
            (_, Some((enough_db, _))) if self.encodings == MAX_ENCODINGS - 1 => {
                if enough_db == self.lowered_db {
                    return true;
                }
                enough_db
            }
            (Some((short_db, over)), Some((enough_db, under))) => {
                let between = short_db + (enough_db - short_db) * over / (over - under);
                (between + MARGIN_DB).min(enough_db)
            }
            _ => self.lowered_db + over_db + MARGIN_DB * f64::from(self.encodings),
        };
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches on a codec that makes of a lowering an overshoot.
    fn search(codec: impl Fn(f64) -> f64) -> (Headroom, f64) {
        let mut headroom = Headroom::default();
        loop {
            let over = codec(headroom.lowered_db());
            if headroom.settles(over) {
                return (headroom, over);
            }
        }
    }

    #[test]
    fn a_file_below_its_ceiling_is_encoded_once() {
        let (headroom, over) = search(|_| -0.7);
        assert_eq!((headroom.encodings(), headroom.lowered_db(), over), (1, 0.0, -0.7));
    }

    #[test]
    fn a_steady_overshoot_takes_two_encodings_and_one_that_falls_with_the_level_little_more() {
        let (headroom, over) = search(|lowered| 0.8 - lowered);
        assert!(headroom.encodings() == 2 && (-NEAR_DB..=0.0).contains(&over), "{headroom:?}");
        let (headroom, over) = search(|lowered| 4.4 - 1.25 * lowered);
        assert!(headroom.encodings() <= 4 && (-NEAR_DB..=0.0).contains(&over), "{headroom:?}");
    }

    #[test]
    fn the_last_file_keeps_its_ceiling_if_any_did_however_the_codec_jumps() {
        let (headroom, over) = search(|lowered| if lowered < 2.0 { 1.5 } else { -1.5 });
        assert!(over < 0.0 && headroom.encodings() <= MAX_ENCODINGS, "{headroom:?} {over}");
        let (headroom, over) = search(|_| 0.5);
        assert_eq!((headroom.encodings(), over), (MAX_ENCODINGS, 0.5));
    }
}

//! A delay of a fixed number of frames.

/// Values come out `length` pushes after they went in.
pub struct DelayLine<T> {
    slots: Vec<T>,
    at: usize,
    silence: T,
}

impl<T: Copy> DelayLine<T> {
    /// A line of `length` values that are all `silence`.
    #[must_use]
    pub fn new(length: usize, silence: T) -> Self {
        Self { slots: vec![silence; length], at: 0, silence }
    }

    /// The length in values.
    #[must_use]
    pub fn length(&self) -> usize {
        self.slots.len()
    }

    /// Puts `value` in and takes out the one that went in `length` pushes ago.
    #[inline(always)]
    pub fn exchange(&mut self, value: T) -> T {
        let Some(slot) = self.slots.get_mut(self.at) else { return value };
        let oldest = core::mem::replace(slot, value);
        self.at = if self.at + 1 == self.slots.len() { 0 } else { self.at + 1 };
        oldest
    }

    /// The value that went in `pushes` pushes ago: 1 is the newest, the length the oldest.
    #[inline]
    #[must_use]
    pub fn back(&self, pushes: usize) -> T {
        let end = if pushes > self.at { self.at + self.slots.len() } else { self.at };
        self.slots[end - pushes]
    }

    /// The `count` oldest values, in two pieces where the line wraps; `count` is at most the length.
    #[inline]
    #[must_use]
    pub fn oldest(&self, count: usize) -> [&[T]; 2] {
        let until_wrap = count.min(self.slots.len() - self.at);
        [&self.slots[self.at..self.at + until_wrap], &self.slots[..count - until_wrap]]
    }

    /// Hands out the places of the `count` oldest values, in two pieces, to be overwritten by the newest; `count` is at
    /// most the length.
    #[inline]
    #[must_use]
    pub fn advance(&mut self, count: usize) -> [&mut [T]; 2] {
        let at = self.at;
        let until_wrap = count.min(self.slots.len() - at);
        self.at = if at + count >= self.slots.len() { count - until_wrap } else { at + count };
        let (wrapped, rest) = self.slots.split_at_mut(at);
        [&mut rest[..until_wrap], &mut wrapped[..count - until_wrap]]
    }

    /// Makes the line silent.
    pub fn reset(&mut self) {
        self.slots.fill(self.silence);
        self.at = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_in_pieces_equals_exchanging_one_by_one() {
        let (mut pieces, mut singles) = (DelayLine::new(11, 0.0f32), DelayLine::new(11, 0.0f32));
        let mut next = 0.0;
        for piece in [3, 11, 1, 7, 8, 11, 2, 9] {
            let values: Vec<f32> = (0..piece).map(|index| next + index as f32).collect();
            next += piece as f32;
            let read = pieces.oldest(piece).concat();
            let places = pieces.advance(piece).into_iter().flatten();
            places.zip(&values).for_each(|(place, value)| *place = *value);
            let exchanged: Vec<f32> = values.iter().map(|value| singles.exchange(*value)).collect();
            assert_eq!(read, exchanged);
        }
    }

    #[test]
    fn a_line_of_no_length_hands_on_what_it_gets() {
        assert_eq!(DelayLine::new(0, 0.0f32).exchange(3.0), 3.0);
    }
}

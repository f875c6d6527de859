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

    /// Copies out the oldest values, those that the next [`Self::write`] replaces; no more than the length.
    #[inline]
    pub fn read(&self, oldest: &mut [T]) {
        let until_wrap = oldest.len().min(self.slots.len() - self.at);
        let (first, second) = oldest.split_at_mut(until_wrap);
        first.copy_from_slice(&self.slots[self.at..self.at + until_wrap]);
        second.copy_from_slice(&self.slots[..second.len()]);
    }

    /// Puts values in over the oldest; no more than the length.
    #[inline]
    pub fn write(&mut self, values: &[T]) {
        let until_wrap = values.len().min(self.slots.len() - self.at);
        let (first, second) = values.split_at(until_wrap);
        self.slots[self.at..self.at + until_wrap].copy_from_slice(first);
        self.slots[..second.len()].copy_from_slice(second);
        self.at = if self.at + values.len() >= self.slots.len() { second.len() } else { self.at + values.len() };
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
    fn reading_and_writing_in_pieces_equals_exchanging_one_by_one() {
        let (mut pieces, mut singles) = (DelayLine::new(11, 0.0f32), DelayLine::new(11, 0.0f32));
        let mut next = 0.0;
        for piece in [3, 11, 1, 7, 8, 11, 2, 9] {
            let values: Vec<f32> = (0..piece).map(|index| next + index as f32).collect();
            next += piece as f32;
            let mut read = vec![0.0; piece];
            pieces.read(&mut read);
            pieces.write(&values);
            let exchanged: Vec<f32> = values.iter().map(|value| singles.exchange(*value)).collect();
            assert_eq!(read, exchanged);
        }
    }

    #[test]
    fn a_line_of_no_length_hands_on_what_it_gets() {
        assert_eq!(DelayLine::new(0, 0.0f32).exchange(3.0), 3.0);
    }
}

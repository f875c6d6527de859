//! Planar blocks of f32 samples.

/// Frames held channel by channel: `channels` slices of equal length. Mono has one channel, stereo two (left, right).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buffer {
    channels: Vec<Vec<f32>>,
    frames: usize,
}

impl Buffer {
    /// A silent buffer of `channels` channels that holds up to `capacity` frames and starts with `capacity` frames.
    #[must_use]
    pub fn new(channels: usize, capacity: usize) -> Self {
        Self { channels: vec![vec![0.0; capacity]; channels], frames: capacity }
    }

    /// The number of channels.
    #[must_use]
    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    /// The number of frames in use.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Sets the number of frames in use. Allocates only when it exceeds every earlier length; new frames are silent.
    pub fn set_frames(&mut self, frames: usize) {
        for channel in &mut self.channels {
            if channel.len() < frames {
                channel.resize(frames, 0.0);
            }
        }
        self.frames = frames;
    }

    /// Makes every frame in use silent.
    pub fn clear(&mut self) {
        for channel in &mut self.channels {
            channel[..self.frames].fill(0.0);
        }
    }

    /// One channel's frames in use.
    ///
    /// # Panics
    /// If there is no such channel.
    #[must_use]
    pub fn channel(&self, index: usize) -> &[f32] {
        &self.channels[index][..self.frames]
    }

    /// One channel's frames in use, to be written.
    ///
    /// # Panics
    /// If there is no such channel.
    pub fn channel_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.channels[index][..self.frames]
    }

    /// Left and right of a stereo buffer, to be written together.
    ///
    /// # Panics
    /// If the buffer is not stereo.
    pub fn stereo_mut(&mut self) -> (&mut [f32], &mut [f32]) {
        let [left, right] = self.channels.as_mut_slice() else { panic!("a stereo buffer has two channels") };
        (&mut left[..self.frames], &mut right[..self.frames])
    }

    /// All channels, each with its frames in use.
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.channels.iter().map(|channel| &channel[..self.frames])
    }

    /// All channels, each with its frames in use, to be written.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let frames = self.frames;
        self.channels.iter_mut().map(move |channel| &mut channel[..frames])
    }
}

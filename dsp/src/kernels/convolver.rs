//! Convolution with a long response, in parts of one length, by Fourier transforms.
//!
//! Uniformly partitioned overlap-save: the response is cut into parts of B frames; a block of B frames of input, with the one
//! before it, is transformed once, multiplied with the spectrum of every part when that part's turn comes, and transformed
//! back. Output lags by B frames. Everything is f64.
//!
//! *References*: T. G. Stockham, "High-speed convolution and correlation", AFIPS Spring JCC, 1966 (overlap-save); F. Wefers,
//! "Partitioned convolution algorithms for real-time auralization", PhD thesis, RWTH Aachen, 2015 (uniform partitions).

use std::sync::Arc;

use super::fft::{RealFft, Spectrum, Work};

/// From one input to one output.
#[derive(Debug)]
struct Path {
    from: usize,
    to: usize,
    /// Per part; `None` where it is silent.
    parts: Vec<Option<Spectrum>>,
}

/// What sound is convolved with: a response per way from an input to an output, ready for use. Never changes, so many
/// convolvers may share it.
#[derive(Debug)]
pub struct Response {
    fft: RealFft,
    inputs: usize,
    outputs: usize,
    paths: Vec<Path>,
    parts: usize,
}

impl Response {
    /// Cuts responses, each (from input, to output, frames), into parts of `part_frames`, a power of two from 2 on. Outputs
    /// sum the paths in the order given.
    ///
    /// # Panics
    /// If `part_frames` is no power of two, or there are more than two inputs or outputs.
    #[must_use]
    pub fn new(paths: &[(usize, usize, Vec<f64>)], part_frames: usize) -> Self {
        let fft = RealFft::new(2 * part_frames);
        let mut work = fft.work();
        let mut block = vec![0.0; 2 * part_frames];
        let mut part = |frames: &[f64]| {
            if frames.iter().all(|frame| *frame == 0.0) {
                return None;
            }
            block.fill(0.0);
            block[..frames.len()].copy_from_slice(frames);
            let mut spectrum = Spectrum::silent(fft.bins());
            fft.forward(&block, &mut spectrum, &mut work);
            Some(spectrum)
        };
        let mut cut = |(from, to, frames): &(usize, usize, Vec<f64>)| {
            let parts: Vec<Option<Spectrum>> = frames.chunks(part_frames).map(&mut part).collect();
            Path { from: *from, to: *to, parts }
        };
        let paths: Vec<Path> = paths.iter().map(&mut cut).collect();
        let most = |of: fn(&Path) -> usize| paths.iter().map(of).max().unwrap_or(0);
        let (inputs, outputs, parts) =
            (most(|path| path.from) + 1, most(|path| path.to) + 1, most(|path| path.parts.len()));
        assert!(inputs <= 2 && outputs <= 2, "{inputs} inputs, {outputs} outputs");
        Self { inputs, outputs, parts: parts.max(1), paths, fft }
    }

    /// Frames of a part, by which the output lags.
    #[must_use]
    pub fn part_frames(&self) -> usize {
        self.fft.frames() / 2
    }

    /// Inputs: 1 or 2.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Outputs: 1 or 2.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }
}

/// A convolution at work.
pub struct Convolver {
    response: Arc<Response>,
    work: Work,
    /// Per input, the block before and the one that is being filled.
    blocks: Vec<Vec<f64>>,
    /// Per input, the spectra of the last blocks, as many as there are parts; with whether there is any sound in them.
    history: Vec<Vec<(Spectrum, bool)>>,
    /// Where in `history` the newest one is.
    newest: usize,
    sum: Spectrum,
    /// Per output, the transform back, whose second half is what sounds.
    outputs: Vec<Vec<f64>>,
    /// Frames in a row in which nothing but 0 came in, up to those that leave nothing to sound.
    quiet_frames: usize,
}

impl Convolver {
    /// A convolver in silence.
    #[must_use]
    pub fn new(response: Arc<Response>) -> Self {
        let fft = &response.fft;
        let slot = || (Spectrum::silent(fft.bins()), false);
        let mut convolver = Self {
            work: fft.work(),
            blocks: vec![vec![0.0; fft.frames()]; response.inputs],
            history: (0..response.inputs).map(|_| (0..response.parts).map(|_| slot()).collect()).collect(),
            newest: 0,
            sum: Spectrum::silent(fft.bins()),
            outputs: vec![vec![0.0; fft.frames()]; response.outputs],
            quiet_frames: 0,
            response,
        };
        convolver.quiet_frames = convolver.memory_frames();
        convolver
    }

    /// Silence for so long leaves nothing: a block is in the memory of every part and of the one after.
    fn memory_frames(&self) -> usize {
        (self.response.parts + 2) * self.response.part_frames()
    }

    /// Where absolute frame `frame` lies in its block: blocks begin at absolute multiples of their length, whatever
    /// silence was skipped.
    #[must_use]
    pub fn phase(&self, frame: i64) -> usize {
        frame.rem_euclid(self.response.part_frames() as i64) as usize
    }

    /// The input of one block ago, from `phase` on.
    #[must_use]
    pub fn delayed(&self, input: usize, phase: usize) -> &[f64] {
        &self.blocks[input][phase..self.response.part_frames()]
    }

    /// What sounds at `phase` and after: the convolution with the input of one block ago and before.
    #[must_use]
    pub fn output(&self, output: usize, phase: usize) -> &[f64] {
        &self.outputs[output][self.response.part_frames() + phase..]
    }

    /// Takes the frames from `phase` on, of every input as many; they do not reach beyond the end of the block. What
    /// [`Self::delayed`] and [`Self::output`] give for these frames must have been read.
    pub fn push<const N: usize>(&mut self, phase: usize, inputs: [&[f64]; N]) {
        let part_frames = self.response.part_frames();
        let count = inputs[0].len();
        let start = part_frames + phase;
        for (block, input) in self.blocks.iter_mut().zip(inputs) {
            block[start..start + count].copy_from_slice(input);
        }
        let silent = |index: &usize| inputs.iter().all(|input| input[*index] == 0.0);
        let quiet = (0..count).rev().take_while(silent).count();
        self.quiet_frames = if quiet == count { (self.quiet_frames + quiet).min(self.memory_frames()) } else { quiet };
        if phase + count == part_frames {
            self.turn();
        }
    }

    /// A block is full: computes what sounds during the next.
    fn turn(&mut self) {
        let Self { response, work, blocks, history, newest, sum, outputs, .. } = self;
        let Response { fft, parts, .. } = &**response;
        *newest = (*newest + 1) % parts;
        for (block, history) in blocks.iter_mut().zip(history.iter_mut()) {
            let (spectrum, sounds) = &mut history[*newest];
            *sounds = block.iter().any(|frame| *frame != 0.0);
            if *sounds {
                fft.forward(block, spectrum, work);
            }
            block.copy_within(fft.frames() / 2.., 0);
        }
        for (to, output) in outputs.iter_mut().enumerate() {
            sum.clear();
            let mut sounds = false;
            for path in response.paths.iter().filter(|path| path.to == to) {
                for (age, part) in path.parts.iter().enumerate() {
                    let (spectrum, loud) = &history[path.from][(*newest + parts - age) % parts];
                    if let (Some(part), true) = (part, loud) {
                        sum.add_product(spectrum, part);
                        sounds = true;
                    }
                }
            }
            if sounds {
                fft.inverse(sum, output, work);
            } else {
                output.fill(0.0);
            }
        }
    }

    /// Whether nothing is left to sound.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.quiet_frames == self.memory_frames()
    }

    /// Makes it silent.
    pub fn reset(&mut self) {
        self.blocks.iter_mut().chain(&mut self.outputs).for_each(|block| block.fill(0.0));
        self.history.iter_mut().flatten().for_each(|(_, sounds)| *sounds = false);
        self.newest = 0;
        self.quiet_frames = self.memory_frames();
    }
}

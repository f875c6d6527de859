//! ffmpeg and sox as second opinions.

use std::path::Path;
use std::process::Command;

/// 32-bit float samples of raw channels, interleaved.
fn write_f32(path: &Path, audio: &[Vec<f32>]) {
    let bytes: Vec<u8> =
        (0..audio[0].len()).flat_map(|frame| audio.iter().flat_map(move |c| c[frame].to_le_bytes())).collect();
    std::fs::write(path, bytes).expect("because the folder is ours");
}

/// Interleaved 32-bit floats, channel by channel.
pub fn read_f32(bytes: &[u8], channels: usize) -> Vec<Vec<f32>> {
    let samples: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    (0..channels).map(|channel| samples.iter().skip(channel).step_by(channels).copied().collect()).collect()
}

/// What ffmpeg makes at 48 kHz of raw inputs by a filter graph, as raw 32-bit floats.
pub fn filter(folder: &Path, inputs: &[&[Vec<f32>]], graph: &str) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-bitexact"]);
    for (index, input) in inputs.iter().enumerate() {
        let path = folder.join(format!("in-{index}.f32"));
        write_f32(&path, input);
        command.args(["-f", "f32le", "-ar", "48000", "-ac", &input.len().to_string(), "-i"]).arg(path);
    }
    let output = command
        .args(["-filter_complex", graph, "-f", "f32le", "-c:a", "pcm_f32le", "-"])
        .output()
        .unwrap_or_else(|error| panic!("ffmpeg cannot be run ({error}): `make test` installs what the tests need"));
    assert!(output.status.success(), "{graph}\n{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What sox makes at 48 kHz of an input by an effect, as raw 32-bit floats.
pub fn sox(folder: &Path, input: &[Vec<f32>], effect: &[&str]) -> Vec<u8> {
    let path = folder.join("in.f32");
    write_f32(&path, input);
    let output = Command::new("sox")
        .args(["-D", "-t", "f32", "-r", "48000", "-c", &input.len().to_string()])
        .arg(path)
        .args(["-t", "f32", "-"])
        .args(effect)
        .output()
        .unwrap_or_else(|error| panic!("sox cannot be run ({error}): `make test` installs what the tests need"));
    assert!(output.status.success(), "{effect:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A convolution by ffmpeg, without the gain of its own: `afir` of ffmpeg 5.1 gives twice the sum.
pub fn afir(folder: &Path, input: &[Vec<f32>], response: &[Vec<f32>]) -> Vec<u8> {
    filter(folder, &[input, response], "[0][1]afir=gtype=none:wet=0.5")
}

//! What BS.1770-5 prints, written down a second time, plainly, in f64.

/// Equation 2.
pub fn lufs(power: f64) -> f64 {
    -0.691 + 10.0 * power.log10()
}

/// Annex 1, tables 1 and 2, in direct form I; at 48 kHz, for which the coefficients are printed.
pub fn k_weighted(signal: &[f32]) -> Vec<f64> {
    let stages = [
        [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585],
        [1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621],
    ];
    let mut out: Vec<f64> = signal.iter().map(|x| f64::from(*x)).collect();
    for [b0, b1, b2, a1, a2] in stages {
        let (mut x1, mut x2, mut y1, mut y2) = (0.0, 0.0, 0.0, 0.0);
        for value in &mut out {
            let x = *value;
            let y = b0 * x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2;
            (x2, x1, y2, y1) = (x1, x, y1, y);
            *value = y;
        }
    }
    out
}

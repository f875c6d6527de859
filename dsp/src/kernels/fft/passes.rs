//! The passes of a complex transform in Stockham's order: of radix 4 as long as four divides the length, then of 7, 5 and 3, and
//! of 2 at the end.
//!
//! A pass of radix r over n points, each of which stands for so many (the stride) side by side, transforms the r points p,
//! p + n/r, p + 2n/r …, and turns the k-th of what comes out by W^(p·k), W = e^(−i·2π/n).

use core::array;
use core::ops::{Add, Mul, Sub};

use super::{Complex, turn};
use crate::kernels::lanes::Lanes;

/// What points are computed in: alone, or four abreast with the same bits.
pub(super) trait Number:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Mul<f64, Output = Self>
{
}
impl Number for f64 {}
impl Number for Lanes<4> {}

type Four = [f64; 4];

/// W^p, W^2p … for some p.
type Turns<T, const N: usize> = [(T, T); N];

/// One pass over all points.
#[derive(Debug)]
pub(super) enum Pass {
    /// The first, in radix 4, where points stand alone: of every four p, side by side.
    First(Vec<Turns<Lanes<4>, 3>>),
    /// The same where there are too few of them.
    FirstFew(Vec<Turns<f64, 3>>),
    Four(Vec<Turns<f64, 3>>),
    Seven(Odd<7, 6>),
    Five(Odd<5, 4>),
    Three(Odd<3, 2>),
    /// Where two points are left: a sum and a difference.
    Two,
}

/// An odd radix R, with one less in `N`.
#[derive(Debug)]
pub(super) struct Odd<const R: usize, const N: usize> {
    turns: Vec<Turns<f64, N>>,
    /// The cosine and sine of 2π·k/R.
    roots: [(f64, f64); R],
}

impl<const R: usize, const N: usize> Odd<R, N> {
    fn of(length: usize) -> Self {
        let roots = array::from_fn(|k| turn(k, R)).map(|(cos, sin): (f64, f64)| (cos, -sin));
        Self { turns: turns(length), roots }
    }
}

/// The factors of a pass over `length` points, for every p.
fn turns<const N: usize>(length: usize) -> Vec<Turns<f64, N>> {
    (0..length / (N + 1)).map(|p| array::from_fn(|k| turn(p * (k + 1) % length, length))).collect()
}

/// The passes for so many points, a multiple of 4 or 2; `None` where a prime above 7 divides them.
pub(super) fn of(points: usize) -> Option<Vec<Pass>> {
    let (mut passes, mut left) = (Vec::new(), points);
    while left > 1 {
        let (pass, radix) = match left {
            _ if left.is_multiple_of(4) => (four(left, passes.is_empty()), 4),
            _ if left.is_multiple_of(7) => (Pass::Seven(Odd::of(left)), 7),
            _ if left.is_multiple_of(5) => (Pass::Five(Odd::of(left)), 5),
            _ if left.is_multiple_of(3) => (Pass::Three(Odd::of(left)), 3),
            2 => (Pass::Two, 2),
            _ => return None,
        };
        passes.push(pass);
        left /= radix;
    }
    Some(passes)
}

fn four(length: usize, is_first: bool) -> Pass {
    let turns = turns::<3>(length);
    match turns.as_chunks::<4>() {
        _ if !is_first => Pass::Four(turns),
        (abreast, []) => {
            let lane = |of: &[Turns<f64, 3>; 4], k: usize, part: fn((f64, f64)) -> f64| Lanes(of.map(|w| part(w[k])));
            let beside = |of| array::from_fn(|k| (lane(of, k, |w| w.0), lane(of, k, |w| w.1)));
            Pass::First(abreast.iter().map(beside).collect())
        }
        _ => Pass::FirstFew(turns),
    }
}

impl Pass {
    /// Runs it where points stand `stride` side by side, and returns the stride of the next.
    #[inline(always)]
    pub(super) fn run(&self, stride: usize, from: &Complex, to: &mut Complex) -> usize {
        let radix = match self {
            Self::First(turns) => first(turns, from, to),
            Self::FirstFew(turns) => few(turns, from, to),
            Self::Four(turns) => pass(turns, &FourPoints, stride, from, to),
            Self::Seven(odd) => pass(&odd.turns, odd, stride, from, to),
            Self::Five(odd) => pass(&odd.turns, odd, stride, from, to),
            Self::Three(odd) => pass(&odd.turns, odd, stride, from, to),
            Self::Two => two(stride, from, to),
        };
        radix * stride
    }
}

#[inline(always)]
fn times<T: Number>((cos, sin): (T, T), re: T, im: T) -> (T, T) {
    (cos * re - sin * im, cos * im + sin * re)
}

/// Four points a, b, c, d become the four of their transform.
#[inline(always)]
fn butterfly<T: Number>(re: [T; 4], im: [T; 4]) -> ([T; 4], [T; 4]) {
    let ([ar, br, cr, dr], [ai, bi, ci, di]) = (re, im);
    let (sum_r, sum_i, difference_r, difference_i) = (ar + cr, ai + ci, ar - cr, ai - ci);
    let (other_r, other_i, turned_r, turned_i) = (br + dr, bi + di, di - bi, br - dr);
    (
        [sum_r + other_r, difference_r - turned_r, sum_r - other_r, difference_r + turned_r],
        [sum_i + other_i, difference_i - turned_i, sum_i - other_i, difference_i + turned_i],
    )
}

/// All but the first point, turned.
#[inline(always)]
fn turned<T: Number, const R: usize, const N: usize>(
    (mut re, mut im): ([T; R], [T; R]),
    turns: &Turns<T, N>,
) -> ([T; R], [T; R]) {
    for (k, turn) in turns.iter().enumerate() {
        (re[k + 1], im[k + 1]) = times(*turn, re[k + 1], im[k + 1]);
    }
    (re, im)
}

/// `R` slices of equal length.
#[inline(always)]
fn parts<const R: usize>(all: &[f64]) -> [&[f64]; R] {
    let part = all.len() / R;
    array::from_fn(|index| &all[index * part..][..part])
}

/// Rows become columns.
#[inline(always)]
fn transposed(rows: [Lanes<4>; 4]) -> [Four; 4] {
    array::from_fn(|column| array::from_fn(|row| rows[row].0[column]))
}

#[inline(always)]
fn first(turns: &[Turns<Lanes<4>, 3>], from: &Complex, to: &mut Complex) -> usize {
    let quarters = |all| parts::<4>(all).map(|part| &part.as_chunks::<4>().0[..turns.len()]);
    let (re, im) = (quarters(&from.re), quarters(&from.im));
    let to_re = to.re.as_chunks_mut::<4>().0.as_chunks_mut::<4>().0.iter_mut();
    let to_im = to.im.as_chunks_mut::<4>().0.as_chunks_mut::<4>().0.iter_mut();
    for (p, (turns, (to_re, to_im))) in turns.iter().zip(to_re.zip(to_im)).enumerate() {
        let points = butterfly(re.map(|re| Lanes(re[p])), im.map(|im| Lanes(im[p])));
        let (out_re, out_im) = turned(points, turns);
        (*to_re, *to_im) = (transposed(out_re), transposed(out_im));
    }
    4
}

#[inline(always)]
fn few(turns: &[Turns<f64, 3>], from: &Complex, to: &mut Complex) -> usize {
    let (re, im) = (parts::<4>(&from.re), parts::<4>(&from.im));
    let (to_re, to_im) = (to.re.as_chunks_mut::<4>().0, to.im.as_chunks_mut::<4>().0);
    for (p, (to_re, to_im)) in to_re.iter_mut().zip(to_im).enumerate() {
        (*to_re, *to_im) = turned(butterfly(re.map(|re| re[p]), im.map(|im| im[p])), &turns[p]);
    }
    4
}

/// A transform of `R` points.
trait Points<const R: usize> {
    fn transform(&self, re: [Lanes<4>; R], im: [Lanes<4>; R]) -> ([Lanes<4>; R], [Lanes<4>; R]);
}

struct FourPoints;

impl Points<4> for FourPoints {
    #[inline(always)]
    fn transform(&self, re: [Lanes<4>; 4], im: [Lanes<4>; 4]) -> ([Lanes<4>; 4], [Lanes<4>; 4]) {
        butterfly(re, im)
    }
}

impl<const R: usize, const N: usize> Points<R> for Odd<R, N> {
    #[inline(always)]
    fn transform(&self, re: [Lanes<4>; R], im: [Lanes<4>; R]) -> ([Lanes<4>; R], [Lanes<4>; R]) {
        prime(&self.roots, re, im)
    }
}

/// The transform of R points, R odd: pairs of equal distance from the first share their products.
#[inline(always)]
fn prime<const R: usize>(
    roots: &[(f64, f64); R],
    re: [Lanes<4>; R],
    im: [Lanes<4>; R],
) -> ([Lanes<4>; R], [Lanes<4>; R]) {
    let (mut out_re, mut out_im) = (re, im);
    for j in 1..=R / 2 {
        (out_re[0], out_im[0]) = (out_re[0] + (re[j] + re[R - j]), out_im[0] + (im[j] + im[R - j]));
    }
    for k in 1..=R / 2 {
        let (mut even_re, mut even_im) = (re[0], im[0]);
        for j in 1..=R / 2 {
            let cos = roots[j * k % R].0;
            (even_re, even_im) = (even_re + (re[j] + re[R - j]) * cos, even_im + (im[j] + im[R - j]) * cos);
        }
        let sin = roots[k].1;
        let (mut odd_re, mut odd_im) = ((re[1] - re[R - 1]) * sin, (im[1] - im[R - 1]) * sin);
        for j in 2..=R / 2 {
            let sin = roots[j * k % R].1;
            (odd_re, odd_im) = (odd_re + (re[j] - re[R - j]) * sin, odd_im + (im[j] - im[R - j]) * sin);
        }
        (out_re[k], out_im[k]) = (even_re + odd_im, even_im - odd_re);
        (out_re[R - k], out_im[R - k]) = (even_re - odd_im, even_im + odd_re);
    }
    (out_re, out_im)
}

/// A pass after the first.
#[inline(always)]
fn pass<const R: usize, const N: usize>(
    turns: &[Turns<f64, N>],
    points: &impl Points<R>,
    stride: usize,
    from: &Complex,
    to: &mut Complex,
) -> usize {
    let (re, im) = (parts::<R>(&from.re), parts::<R>(&from.im));
    let groups = to.re.chunks_exact_mut(R * stride).zip(to.im.chunks_exact_mut(R * stride));
    for (p, (turns, (to_re, to_im))) in turns.iter().zip(groups).enumerate() {
        let (re, im) = (re.map(|re| &re[p * stride..][..stride]), im.map(|im| &im[p * stride..][..stride]));
        let (to_re, to_im) = (split::<R>(to_re, stride), split::<R>(to_im, stride));
        // A stride is a multiple of four after the first pass.
        let (re, im) = (re.map(|re| re.as_chunks::<4>().0), im.map(|im| im.as_chunks::<4>().0));
        let to_re = to_re.map(|re| &mut re.as_chunks_mut::<4>().0[..stride / 4]);
        let to_im = to_im.map(|im| &mut im.as_chunks_mut::<4>().0[..stride / 4]);
        let (re, im) = (re.map(|re| &re[..stride / 4]), im.map(|im| &im[..stride / 4]));
        let turns = turns.map(|(cos, sin)| (Lanes::splat(cos), Lanes::splat(sin)));
        for q in 0..stride / 4 {
            let transformed = points.transform(re.map(|re| Lanes(re[q])), im.map(|im| Lanes(im[q])));
            let (out_re, out_im) = turned(transformed, &turns);
            for k in 0..R {
                (to_re[k][q], to_im[k][q]) = (out_re[k].0, out_im[k].0);
            }
        }
    }
    R
}

/// `R` slices of `stride` each.
#[inline(always)]
fn split<const R: usize>(all: &mut [f64], stride: usize) -> [&mut [f64]; R] {
    let mut parts = all.chunks_exact_mut(stride);
    array::from_fn(|_| parts.next().expect("because there are as many"))
}

#[inline(always)]
fn two(stride: usize, from: &Complex, to: &mut Complex) -> usize {
    for (from, to) in [(&from.re, &mut to.re), (&from.im, &mut to.im)] {
        let (a, b) = from.split_at(stride);
        let (sum, difference) = to.split_at_mut(stride);
        for (q, (a, b)) in a.iter().zip(b).enumerate() {
            sum[q] = a + b;
            difference[q] = a - b;
        }
    }
    2
}

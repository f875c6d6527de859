//! Rice coding of residuals, RFC 9639 §9.2.7.

use super::bits::BitWriter;

/// Greatest partition order tried: the streamable subset's (RFC 9639 §7).
const MAX_PARTITION_ORDER: u32 = 8;
/// Greatest parameter: that of 5-bit fields, whose 31 is an escape.
const MAX_PARAMETER: u32 = 30;
/// Greatest parameter of 4-bit fields, whose 15 is an escape.
const MAX_SHORT_PARAMETER: u32 = 14;

/// How a residual is to be coded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Coding {
    partition_order: u32,
    parameters: Vec<u32>,
    /// Bits it takes, exactly.
    pub(super) bits: u64,
}

/// 0, −1, 1, −2 … as 0, 1, 2, 3 …
fn fold(residual: i32) -> u32 {
    ((residual << 1) ^ (residual >> 31)) as u32
}

/// The parameter that takes the fewest bits for `count` values of this sum, and about how many they are.
fn best_parameter(sum: u64, count: u64) -> (u32, u64) {
    let mean = sum / count.max(1);
    let near = mean.checked_ilog2().unwrap_or(0);
    let cost = |parameter: u32| {
        // The quotients' sum is less than the sum's quotient by half a step a value on average.
        let quotients = (sum >> parameter).saturating_sub(if parameter > 0 { count / 2 } else { 0 });
        count * u64::from(parameter + 1) + quotients
    };
    let tried = [near.saturating_sub(1), near, near + 1].map(|parameter| parameter.min(MAX_PARAMETER));
    tried.into_iter().map(|parameter| (parameter, cost(parameter))).min_by_key(|(_, cost)| *cost).unwrap_or((0, 0))
}

/// The lengths of a residual's partitions: the first lacks the warm-up.
fn lengths(block: usize, warm_up: usize, partition_order: u32) -> impl Iterator<Item = usize> {
    let whole = block >> partition_order;
    (0..1_usize << partition_order).map(move |index| if index == 0 { whole - warm_up } else { whole })
}

/// Finds a good coding for the residual of a block of `block` frames.
pub(super) fn plan(residual: &[i32], block: usize) -> Coding {
    let warm_up = block - residual.len();
    let divides = |order: u32| block.is_multiple_of(1 << order) && block >> order > warm_up;
    let finest = (0..=MAX_PARTITION_ORDER).take_while(|order| divides(*order)).last().unwrap_or(0);
    let mut sums: Vec<u64> = Vec::with_capacity(1 << finest);
    let mut rest = residual;
    for length in lengths(block, warm_up, finest) {
        let (head, behind) = rest.split_at(length);
        sums.push(head.iter().map(|value| u64::from(fold(*value))).sum());
        rest = behind;
    }
    let mut best: Option<(u64, u32, Vec<u32>)> = None;
    for order in (0..=finest).rev() {
        let choices =
            sums.iter().zip(lengths(block, warm_up, order)).map(|(sum, length)| best_parameter(*sum, length as u64));
        let (mut parameters, mut cost) = (Vec::with_capacity(sums.len()), 0);
        for (parameter, bits) in choices {
            parameters.push(parameter);
            cost += bits + 5;
        }
        if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
            best = Some((cost, order, parameters));
        }
        sums = sums.chunks(2).map(|pair| pair.iter().sum()).collect();
    }
    let (_, partition_order, parameters) = best.unwrap_or((0, 0, vec![0]));
    let mut coding = Coding { partition_order, parameters, bits: 6 };
    let mut rest = residual;
    for (length, parameter) in lengths(block, warm_up, partition_order).zip(&coding.parameters) {
        let (head, behind) = rest.split_at(length);
        let quotients: u64 = head.iter().map(|value| u64::from(fold(*value) >> parameter)).sum();
        coding.bits += u64::from(coding.field_bits()) + length as u64 * u64::from(parameter + 1) + quotients;
        rest = behind;
    }
    coding
}

impl Coding {
    /// Bits of a parameter's field.
    fn field_bits(&self) -> u32 {
        if self.parameters.iter().all(|parameter| *parameter <= MAX_SHORT_PARAMETER) { 4 } else { 5 }
    }

    /// Writes the residual.
    pub(super) fn write(&self, residual: &[i32], block: usize, bits: &mut BitWriter) {
        let field_bits = self.field_bits();
        bits.put(field_bits - 4, 2);
        bits.put(self.partition_order, 4);
        let mut rest = residual;
        for (length, parameter) in lengths(block, block - residual.len(), self.partition_order).zip(&self.parameters) {
            let (head, behind) = rest.split_at(length);
            bits.put(*parameter, field_bits);
            let low = (1_u32 << parameter) - 1;
            for value in head {
                let folded = fold(*value);
                let quotient = folded >> parameter;
                if quotient + 1 + parameter <= 32 {
                    bits.put(1 << parameter | folded & low, quotient + 1 + parameter);
                } else {
                    bits.put_unary(quotient);
                    bits.put(folded & low, *parameter);
                }
            }
            rest = behind;
        }
    }
}

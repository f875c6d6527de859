//! Blocks handed from where they are made to where they are taken, on two threads if there are two.

use std::sync::mpsc::sync_channel;

use crate::buffer::Buffer;

/// Blocks that may be on their way.
const ON_THE_WAY: usize = 4;

/// Has `make` fill one block after the other until it says `false`, and hands each to `take`, in order. With more than one
/// thread, blocks are made while earlier ones are taken.
///
/// # Errors
/// The first error of `take`, or else of `make`.
pub fn relay<E: Send>(
    threads: usize,
    channels: usize,
    mut make: impl FnMut(&mut Buffer) -> Result<bool, E> + Send,
    mut take: impl FnMut(&mut Buffer) -> Result<(), E>,
) -> Result<(), E> {
    let empty = || Buffer::new(channels, 0);
    if threads <= 1 {
        let mut block = empty();
        while make(&mut block)? {
            take(&mut block)?;
        }
        return Ok(());
    }
    std::thread::scope(|scope| {
        let (full, filled) = sync_channel::<Buffer>(ON_THE_WAY);
        let (spent, emptied) = sync_channel::<Buffer>(ON_THE_WAY + 2);
        let maker = scope.spawn(move || {
            loop {
                let mut block = emptied.try_recv().unwrap_or_else(|_| empty());
                // The taker hangs up when it has failed.
                if !make(&mut block)? || full.send(block).is_err() {
                    return Ok(());
                }
            }
        });
        let taken = filled.iter().try_for_each(|mut block| {
            take(&mut block)?;
            // A maker that has ended needs no blocks.
            let _ = spent.try_send(block);
            Ok(())
        });
        drop(filled);
        let made = maker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        taken.and(made)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(threads: usize, blocks: usize, fails_at: (usize, usize)) -> (Result<(), String>, Vec<f32>) {
        let (mut made, mut taken) = (0, Vec::new());
        let result = relay(
            threads,
            1,
            |block| {
                if made == fails_at.0 {
                    return Err(format!("made {made}"));
                }
                block.set_frames(1);
                block.channel_mut(0)[0] = made as f32;
                made += 1;
                Ok(made <= blocks)
            },
            |block| {
                if taken.len() == fails_at.1 {
                    return Err(format!("taken {}", taken.len()));
                }
                taken.push(block.channel(0)[0]);
                Ok(())
            },
        );
        (result, taken)
    }

    #[test]
    fn every_block_arrives_once_and_in_order_and_an_error_of_either_side_ends_both() {
        let never = usize::MAX;
        let upto = |count: usize| (0..count).map(|block| block as f32).collect::<Vec<_>>();
        for threads in [1, 2] {
            assert_eq!(counted(threads, 1000, (never, never)), (Ok(()), upto(1000)));
            assert_eq!(counted(threads, 1000, (300, never)), (Err("made 300".to_owned()), upto(300)));
            assert_eq!(counted(threads, 1000, (never, 300)), (Err("taken 300".to_owned()), upto(300)));
        }
    }
}

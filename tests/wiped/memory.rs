//! The memory of this process, searched for a secret.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroize as _;

use crate::hidden::{Hidden, MASK};

/// How much is read at a time.
const ROOM: usize = 1 << 20;

/// What is looked at once more at the beginning of the next part.
const SEAM: usize = PIECE - 1;

/// How long a piece is: more than a register holds, since what was calculated with stands on the stack
/// until others use that; and no more than what is left of the shortest secret once the allocator has
/// written into its beginning.
pub(crate) const PIECE: usize = 24;

/// Of zeros there is much, and comparing many of them at once is quick.
static ZEROS: [u8; BLOCK + SEAM] = [0; BLOCK + SEAM];
const BLOCK: usize = 256;

/// How many pieces of a secret this process can read anywhere in its memory.
pub(crate) fn pieces_of(secret: &Hidden) -> usize {
    // One search at a time: the room of another holds what that has read.
    static SEARCHING: Mutex<()> = Mutex::new(());
    let _one = SEARCHING.lock().unwrap_or_else(PoisonError::into_inner);

    let pieces: HashSet<&[u8]> = secret.masked().windows(PIECE).collect();
    // Nearly all of memory is told from every piece by two bytes.
    let mut begins = vec![false; 1 << 16];
    for piece in &pieces {
        begins[begin(piece)] = true;
    }

    let memory = File::open("/proc/self/mem").unwrap();
    let mut room = vec![0; ROOM];
    let own = room.as_ptr_range();
    let own = own.start as usize..own.end as usize;
    let mut found = 0;
    for part in writable() {
        for part in without(&part, &own) {
            let mut from = part.start;
            while from < part.end {
                let wanted = (part.end - from).min(ROOM);
                // What was unmapped meanwhile is no memory any more.
                let Ok(read) = memory.read_at(&mut room[..wanted], from as u64) else {
                    break;
                };
                if read == 0 {
                    break;
                }
                for start in (0..read).step_by(BLOCK) {
                    let block = &room[start..read.min(start + BLOCK + SEAM)];
                    if *block == ZEROS[..block.len()] {
                        continue;
                    }
                    for window in block.windows(PIECE) {
                        let masked = |place: usize| window[place] ^ MASK;
                        if begins[begin(&[masked(0), masked(1)])]
                            // Byte by byte: what is found must not come to stand on our own stack.
                            && pieces.contains(&std::array::from_fn::<u8, PIECE, _>(masked)[..])
                        {
                            found += 1;
                        }
                    }
                }
                from += if read == wanted && from + read < part.end {
                    read - SEAM
                } else {
                    read
                };
            }
        }
    }
    room.zeroize();
    found
}

fn begin(piece: &[u8]) -> usize {
    usize::from(piece[0]) | usize::from(piece[1]) << 8
}

/// All that this process may write to: the heap, the stacks, the memory of its threads and its statics.
fn writable() -> Vec<Range<usize>> {
    let maps = BufReader::new(File::open("/proc/self/maps").unwrap());
    let mut parts = Vec::new();
    for line in maps.lines() {
        let line = line.unwrap();
        let mut words = line.split(' ');
        let (place, may) = (words.next().unwrap(), words.next().unwrap());
        if may.starts_with("rw") {
            let (start, end) = place.split_once('-').unwrap();
            let number = |hex| usize::from_str_radix(hex, 16).unwrap();
            parts.push(number(start)..number(end));
        }
    }
    assert!(parts.len() > 5, "found {} parts", parts.len());
    parts
}

/// What is left of `part`.
fn without(part: &Range<usize>, own: &Range<usize>) -> Vec<Range<usize>> {
    let before = part.start..part.end.min(own.start);
    let after = part.start.max(own.end)..part.end;
    let parts = [before, after];
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

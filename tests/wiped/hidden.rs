//! A secret that stands nowhere in memory as it is, so that whoever finds it has found a copy.

use std::ops::Range;

use zeroize::Zeroizing;

/// The bytes of a secret, each of them masked with [`MASK`].
pub(crate) struct Hidden {
    masked: Box<[u8]>,
}

/// No letter, digit or sign of base64 is one of them when it is masked, so that a masked secret looks like
/// no other text.
pub(crate) const MASK: u8 = 0x95;

impl Hidden {
    /// So many letters and digits by chance.
    pub(crate) fn by_chance(length: usize) -> Hidden {
        const SIGNS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789aZ";
        let mut masked = vec![0; length].into_boxed_slice();
        aws_lc_rs::rand::fill(&mut masked).unwrap();
        for byte in &mut masked {
            *byte = SIGNS[usize::from(*byte) % 64] ^ MASK;
        }
        Hidden::of_masked(masked)
    }

    /// Of what stands somewhere else, which is the caller's to wipe.
    pub(crate) fn of<'a>(text: impl IntoIterator<Item = &'a u8>) -> Hidden {
        // Byte by byte: the text itself is not copied.
        Hidden::of_masked(text.into_iter().map(|byte| byte ^ MASK).collect())
    }

    /// Of what another process has masked, two digits for a byte.
    pub(crate) fn of_digits(hex: &str) -> Hidden {
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        Hidden::of_masked((0..hex.len()).step_by(2).map(byte).collect())
    }

    fn of_masked(masked: Box<[u8]>) -> Hidden {
        Hidden { masked }
    }

    /// What it is, in a text that wipes itself.
    pub(crate) fn shown(&self) -> Zeroizing<String> {
        let mut shown = Zeroizing::new(String::with_capacity(self.masked.len()));
        for byte in &self.masked {
            shown.push(char::from(byte ^ MASK));
        }
        shown
    }

    /// A part of it.
    pub(crate) fn part(&self, part: Range<usize>) -> Hidden {
        Hidden::of_masked(self.masked[part].into())
    }

    /// The last byte first.
    pub(crate) fn backwards(&self) -> Hidden {
        Hidden::of_masked(self.masked.iter().rev().copied().collect())
    }

    /// The octets that it stands for in base64.
    pub(crate) fn decoded(&self) -> Hidden {
        let mut masked = Vec::new();
        let mut bits = 0_u32;
        for (place, digit) in self.masked.iter().map(|byte| byte ^ MASK).enumerate() {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                _ => break,
            };
            bits = bits << 6 | u32::from(value);
            if place % 4 > 0 {
                masked.push((bits >> (6 - place % 4 * 2)) as u8 ^ MASK);
            }
        }
        Hidden::of_masked(masked.into())
    }

    pub(crate) fn masked(&self) -> &[u8] {
        &self.masked
    }
}

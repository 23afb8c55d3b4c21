//! Percent-encoding read a second time, in the plainest way: what the gate makes of it must be the same.

/// Decodes percent-encoded UTF-8 (RFC 3986 §2.1); with `plus`, a plus is a blank, as in a form. `None` if it
/// is broken.
pub fn percent(text: &str, plus: bool) -> Option<String> {
    let mut decoded = Vec::new();
    let bytes = text.as_bytes();
    let mut place = 0;
    while place < bytes.len() {
        match bytes[place] {
            b'%' => {
                let digits = text.get(place + 1..place + 3)?;
                if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return None;
                }
                decoded.push(u8::from_str_radix(digits, 16).ok()?);
                place += 3;
                continue;
            }
            b'+' if plus => decoded.push(b' '),
            other => decoded.push(other),
        }
        place += 1;
    }
    String::from_utf8(decoded).ok()
}

/// Whether a text is a `b64token` (RFC 6750 §2.1).
pub fn is_b64token(text: &[u8]) -> bool {
    let body = text
        .iter()
        .rposition(|byte| *byte != b'=')
        .map_or(0, |last| last + 1);
    let is_good = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    body > 0 && text[..body].iter().all(is_good)
}

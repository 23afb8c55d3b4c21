//! A strict reader of `WWW-Authenticate` (RFC 9110 §11.6.1, RFC 6750 §3): it accepts what a client
//! may rely on, and nothing else. The doors, the laws and the fuzzer read with it.

/// The parameters of a Bearer challenge, in order.
pub(crate) type Parameters = Vec<(String, String)>;

/// What clients search for in a header that they do not parse.
pub(crate) const SEARCHED_FOR: [&str; 3] = ["scope=", "error=", "resource_metadata="];

/// Whether a client that searches the whole header finds a parameter in `text`; names have no case.
pub(crate) fn is_searched_for(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    SEARCHED_FOR.iter().any(|searched| text.contains(searched))
}

/// Reads a header value that is one Bearer challenge.
///
/// # Errors
///
/// A sentence, if it breaks the grammar or RFC 6750 §3, or would fool a client that searches.
pub(crate) fn read(value: &str) -> Result<Parameters, String> {
    let mut rest = value
        .strip_prefix("Bearer ")
        .ok_or("Bearer does not come first")?;
    let mut parameters = Parameters::new();
    loop {
        let (name, after) = rest.split_once('=').ok_or("a parameter has no value")?;
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!("{name:?} is no token"));
        }
        let (text, behind) = quoted(after)?;
        let known = |(other, _): &(String, String)| other.eq_ignore_ascii_case(name);
        if parameters.iter().any(known) {
            return Err(format!("{name} comes twice"));
        }
        check(name, &text)?;
        parameters.push((name.to_owned(), text));
        if behind.is_empty() {
            return Ok(parameters);
        }
        rest = behind
            .strip_prefix(',')
            .ok_or("parameters stand without a comma")?
            .trim_start_matches([' ', '\t']);
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 9110 §5.6.4.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let inner = text.strip_prefix('"').ok_or("a value is not quoted")?;
    let mut value = String::new();
    let mut characters = inner.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Ok((value, &inner[place + 1..])),
            '\\' => match characters.next() {
                Some((_, escaped @ ('\t' | ' '..='~'))) => value.push(escaped),
                _ => return Err("a backslash escapes nothing".to_owned()),
            },
            '\t' | ' '..='~' => value.push(character),
            other => return Err(format!("{other:?} stands in a quoted string")),
        }
    }
    Err("a quoted string has no end".to_owned())
}

/// RFC 6750 §3, and what clients search the whole header for.
fn check(name: &str, text: &str) -> Result<(), String> {
    let plain = |byte: &u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
    let fits = match name {
        "error" | "error_description" => !text.is_empty() && text.as_bytes().iter().all(plain),
        "scope" => text
            .split(' ')
            .all(|word| !word.is_empty() && word.bytes().all(|b| b != b' ' && plain(&b))),
        "realm" => true,
        other => return Err(format!("nobody asked for {other}")),
    };
    if !fits {
        return Err(format!("{name} is {text:?}, outside its grammar"));
    }
    if is_searched_for(text) {
        return Err(format!("{name} is {text:?}, which clients search for"));
    }
    Ok(())
}

#[test]
fn reads_what_the_grammar_allows() {
    let read = |value| read(value).unwrap();
    assert_eq!(
        read(r#"Bearer realm="a \"b\" \\ c, d",error="invalid_token""#),
        [
            ("realm".to_owned(), r#"a "b" \ c, d"#.to_owned()),
            ("error".to_owned(), "invalid_token".to_owned())
        ]
    );
    for bad in [
        "Bearer",
        "Bearer ",
        "bearer realm=\"x\"",
        "DPoP algs=\"x\", Bearer realm=\"x\"",
        "Bearer realm",
        "Bearer realm=x",
        "Bearer realm=\"x",
        "Bearer realm=\"x\\",
        "Bearer realm=\"x\" error=\"y\"",
        "Bearer realm=\"x\", Realm=\"y\"",
        "Bearer realm=\"caf\u{e9}\"",
        "Bearer re alm=\"x\"",
        "Bearer realm=\"x\",",
        "Bearer realm=\"scope=admin\"",
        "Bearer error_description=\"say \\\"no\\\"\"",
        "Bearer scope=\"a  b\"",
        "Bearer scope=\"\"",
        "Bearer error=\"\"",
        "Bearer surprise=\"x\"",
    ] {
        assert!(self::read(bad).is_err(), "{bad}");
    }
}

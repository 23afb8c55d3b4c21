//! Scopes: the words of RFC 6749 §3.3 that say what a token may be used for.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use crate::json;

/// One scope: a word of the characters RFC 6749 §3.3 allows (`%x21`, `%x23-5B`, `%x5D-7E`).
///
/// Scopes are exact words: `read` does not imply `read:events`, nor the reverse.
///
/// # Examples
///
/// ```
/// use portcullis::{Scope, scope};
///
/// const READ: Scope = scope!("read:events"); // checked while compiling
/// assert_eq!(Scope::new("read:events".to_owned())?, READ);
/// assert!(Scope::new("two words").is_err());
/// # Ok::<(), portcullis::ScopeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Cow<'static, str>);

impl Scope {
    /// Takes `word` as a scope.
    ///
    /// # Errors
    ///
    /// [`ScopeError`] if `word` is empty or holds a character outside the grammar.
    pub fn new(word: impl Into<Cow<'static, str>>) -> Result<Scope, ScopeError> {
        let word = word.into();
        match first_outside_grammar(word.as_bytes()) {
            None => Ok(Scope(word)),
            Some(_) => Err(ScopeError {
                found: crate::text::quote(&word),
            }),
        }
    }

    /// Takes a literal as a scope; [`scope!`](crate::scope!) calls it while compiling.
    ///
    /// # Panics
    ///
    /// If `word` is not a scope. In a `const` that is a compile error.
    pub const fn from_static(word: &'static str) -> Scope {
        assert!(
            first_outside_grammar(word.as_bytes()).is_none(),
            "a scope is one word of visible ASCII without `\"` and `\\` (RFC 6749 section 3.3); \
             write several scopes as several items"
        );
        Scope(Cow::Borrowed(word))
    }

    /// The word itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The place of the first byte no scope may hold; an empty word is wrong at its place 0.
const fn first_outside_grammar(word: &[u8]) -> Option<usize> {
    if word.is_empty() {
        return Some(0);
    }
    let mut place = 0;
    while place < word.len() {
        if !matches!(word[place], 0x21 | 0x23..=0x5B | 0x5D..=0x7E) {
            return Some(place);
        }
        place += 1;
    }
    None
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Scope {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Says why a text is no [`Scope`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeError {
    found: String,
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "scope is {}, wanted one word of visible ASCII without `\"` and `\\`",
            self.found
        )
    }
}

impl std::error::Error for ScopeError {}

/// Makes a [`Scope`] of a literal, checked while compiling.
///
/// ```
/// use portcullis::scope;
/// assert_eq!(scope!("write:events").as_str(), "write:events");
/// ```
///
/// ```compile_fail
/// portcullis::scope!("read events"); // two words
/// ```
#[macro_export]
macro_rules! scope {
    // A named constant is judged by `cargo check`; a `const` block only when code is made.
    ($word:literal) => {{
        const SCOPE: $crate::Scope = $crate::Scope::from_static($word);
        SCOPE
    }};
}

/// The scopes of a token: a set of exact words. Cloning is cheap.
///
/// It is split once, when the token is verified; asking whether it holds a scope costs a binary
/// search. Words of a token that no [`Scope`] can equal grant nothing.
///
/// # Examples
///
/// ```
/// use portcullis::{Scopes, scope};
///
/// let scopes: Scopes = "write:events read:events".parse()?;
/// assert!(scopes.contains(&scope!("read:events")));
/// assert!(!scopes.contains(&scope!("read")));
/// assert_eq!(scopes.to_string(), "read:events write:events");
/// # Ok::<(), std::convert::Infallible>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Scopes(Option<Arc<[u8]>>);

/// How the words of a set lie in one piece: their number, the end of each, and the words one after
/// another, sorted and without repetition. All numbers are `u32`, little-endian.
#[derive(Clone, Copy)]
struct Packed<'a> {
    ends: &'a [[u8; 4]],
    words: &'a [u8],
}

impl Scopes {
    /// For whoever has none and must lend one.
    pub(crate) const NONE: &'static Scopes = {
        static NONE: Scopes = Scopes(None);
        &NONE
    };

    /// Whether the set holds `scope`.
    pub fn contains(&self, scope: &Scope) -> bool {
        self.contains_word(scope.as_str())
    }

    pub(crate) fn contains_word(&self, word: &str) -> bool {
        self.packed().contains(word.as_bytes())
    }

    /// The words in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let packed = self.packed();
        // They were strings when they were packed.
        (0..packed.ends.len()).filter_map(move |place| str::from_utf8(packed.word(place)).ok())
    }

    /// How many words the set holds.
    pub fn len(&self) -> usize {
        self.packed().ends.len()
    }

    /// Whether the set holds no word.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The words between the blanks of a list.
    pub(crate) fn of_list(list: &str) -> Scopes {
        shared(Source::List, list)
    }

    /// The strings of an array that has none with escapes, as [`json::quoted`] reads it.
    pub(crate) fn of_array(array: &str) -> Scopes {
        shared(Source::Array, array)
    }

    /// The set of these words; the empty one is none.
    fn of<'a>(words: impl Iterator<Item = &'a str>) -> Scopes {
        let mut words = words.filter(|word| !word.is_empty());
        // Nearly every set finds room on the stack.
        let mut few = [""; FEW];
        let mut len = 0;
        for (place, word) in few.iter_mut().zip(words.by_ref()) {
            *place = word;
            len += 1;
        }
        if len < FEW {
            return Scopes::sorted(&mut few[..len]);
        }
        let mut all: Vec<&str> = few.into_iter().chain(words).collect();
        Scopes::sorted(&mut all)
    }

    fn sorted(words: &mut [&str]) -> Scopes {
        words.sort_unstable();
        let is_first = |place: &usize| *place == 0 || words[*place - 1] != words[*place];
        let distinct = || (0..words.len()).filter(is_first).map(|place| words[place]);
        let (count, bytes) = distinct().fold((0, 0), |(n, sum), word| (n + 1, sum + word.len()));
        if count == 0 {
            return Scopes(None);
        }
        let size = 4 + 4 * count + bytes;
        let (mut few, mut many) = ([0; 256], Vec::new());
        let piece = match few.get_mut(..size) {
            Some(piece) => piece,
            None => {
                many.resize(size, 0);
                &mut many[..]
            }
        };
        // Claims are no larger than 4 GiB.
        let number = |number: usize| (number as u32).to_le_bytes();
        piece[..4].copy_from_slice(&number(count));
        let (index, text) = piece[4..].split_at_mut(4 * count);
        let mut end = 0;
        for (place, word) in index.chunks_exact_mut(4).zip(distinct()) {
            text[end..end + word.len()].copy_from_slice(word.as_bytes());
            end += word.len();
            place.copy_from_slice(&number(end));
        }
        Scopes(Some((&*piece).into()))
    }

    fn packed(&self) -> Packed<'_> {
        let piece = self.0.as_deref().unwrap_or(&[0; 4]);
        let (count, rest) = piece.split_at(4);
        let count = u32::from_le_bytes([count[0], count[1], count[2], count[3]]) as usize;
        let (ends, words) = rest.split_at(4 * count);
        Packed {
            ends: ends.as_chunks().0,
            words,
        }
    }
}

impl<'a> Packed<'a> {
    fn word(self, place: usize) -> &'a [u8] {
        let end = |place: usize| u32::from_le_bytes(self.ends[place]) as usize;
        let start = if place == 0 { 0 } else { end(place - 1) };
        &self.words[start..end(place)]
    }

    fn contains(self, wanted: &[u8]) -> bool {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.word(middle).cmp(wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return true,
            }
        }
        false
    }
}

/// How many words find room on the stack.
const FEW: usize = 16;

/// The longest text whose set is shared.
const SHARED: usize = 200;

/// What a set is made of.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    List,
    Array,
}

/// A set that was made a moment ago, and what it was made of.
struct Made {
    source: Source,
    text: [u8; SHARED],
    len: usize,
    scopes: Scopes,
}

thread_local! {
    /// Each thread has its own few, so nobody waits.
    static MADE: RefCell<[Option<Box<Made>>; 8]> = const { RefCell::new([const { None }; 8]) };
}

/// The set of this text: the same one, if it was made a moment ago. An issuer grants few different sets
/// to many tokens, so most of them cost neither time nor memory of their own.
fn shared(source: Source, text: &str) -> Scopes {
    let make = || match source {
        Source::List => Scopes::of(text.split(' ')),
        Source::Array => Scopes::of(json::quoted(text)),
    };
    let text = text.as_bytes();
    if text.len() > SHARED {
        return make();
    }
    let shared = MADE.try_with(|made| {
        let mut made = made.borrow_mut();
        let place = &mut made[place(text)];
        if let Some(known) = place
            && known.source == source
            && known.text[..known.len] == *text
        {
            return known.scopes.clone();
        }
        let scopes = make();
        let known = place.get_or_insert_with(|| {
            Box::new(Made {
                source,
                text: [0; SHARED],
                len: 0,
                scopes: Scopes::default(),
            })
        });
        known.source = source;
        known.len = text.len();
        known.text[..text.len()].copy_from_slice(text);
        known.scopes = scopes.clone();
        scopes
    });
    // The thread is about to end.
    shared.unwrap_or_else(|_| make())
}

/// Which of eight places a text has.
fn place(text: &[u8]) -> usize {
    let (blocks, rest) = text.as_chunks();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let mixed = blocks.iter().chain([&last]).fold(0_u64, |mixed, block| {
        let mixed = mixed.rotate_left(23) ^ u64::from_le_bytes(*block);
        mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    (mixed >> 61) as usize
}

impl<S: Into<Box<str>>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(words: I) -> Scopes {
        let words: Vec<Box<str>> = words.into_iter().map(Into::into).collect();
        Scopes::of(words.iter().map(|word| &**word))
    }
}

impl std::str::FromStr for Scopes {
    type Err = std::convert::Infallible;

    /// Splits a space-separated list, as in the `scope` claim (RFC 8693 §4.2).
    fn from_str(list: &str) -> Result<Scopes, Self::Err> {
        Ok(Scopes::of_list(list))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, word) in self.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_one_word_of_the_grammar() {
        for good in ["a", "read:events", "https://x.example/y", "!", "#[]~"] {
            assert!(Scope::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\"b", "a\\b", "a\u{e9}", "a\n"] {
            assert!(Scope::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            Scope::new("a b").unwrap_err().to_string(),
            "scope is \"a b\", wanted one word of visible ASCII without `\"` and `\\`"
        );
    }

    #[test]
    fn scopes_are_a_set_of_exact_words() {
        let scopes: Scopes = "b a  b".parse().unwrap();
        assert_eq!(scopes.len(), 2);
        assert_eq!(scopes.iter().collect::<Vec<_>>(), ["a", "b"]);
        assert!(scopes.contains(&scope!("a")));
        assert!(!scopes.contains(&scope!("A")));
        assert!(Scopes::default().is_empty());
        assert_eq!("".parse::<Scopes>().unwrap(), Scopes::default());
    }

    #[test]
    fn sets_of_every_size_hold_their_words_and_no_other() {
        for size in [0, 1, 2, 15, 16, 17, 100, 1_000] {
            let words: Vec<String> = (0..size).map(|n| format!("w{n}")).collect();
            let scopes: Scopes = words.iter().rev().map(String::as_str).collect();
            let mut sorted: Vec<&str> = words.iter().map(String::as_str).collect();
            sorted.sort_unstable();
            assert_eq!(scopes.iter().collect::<Vec<_>>(), sorted);
            assert_eq!((scopes.len(), scopes.is_empty()), (size, size == 0));
            assert!(words.iter().all(|word| scopes.contains_word(word)));
            for other in ["", "w", "w01", "x", &format!("w{size}")] {
                assert!(!scopes.contains_word(other), "{other}");
            }
        }
    }

    #[test]
    fn the_same_text_is_kept_once_and_no_other_is_taken_for_it() {
        let same = |one: &Scopes, other: &Scopes| {
            Arc::ptr_eq(one.0.as_ref().unwrap(), other.0.as_ref().unwrap())
        };
        let (one, other) = (Scopes::of_list("read write"), Scopes::of_list("read write"));
        assert!(same(&one, &other));
        assert_eq!(one, Scopes::of_array(r#""write","read" , "read""#));
        // The same text read in the other way.
        let text = r#""a","b c""#;
        for _ in 0..2 {
            let (array, list) = (Scopes::of_array(text), Scopes::of_list(text));
            assert_eq!(array.iter().collect::<Vec<_>>(), ["a", "b c"]);
            assert_eq!(list.iter().collect::<Vec<_>>(), [r#""a","b"#, r#"c""#]);
        }
        // More than there are places, of lengths around the longest.
        for round in 0..3 {
            for n in 0..40 {
                let word = format!("{}{n}", "w".repeat(n * 7));
                assert_eq!(Scopes::of_list(&word).to_string(), word, "{round}");
            }
        }
        assert!(Scopes::of_list("").is_empty() && Scopes::of_array("").is_empty());
    }

    #[test]
    fn an_array_item_with_a_space_is_no_list() {
        let scopes: Scopes = ["a b"].into_iter().collect();
        assert!(!scopes.contains(&scope!("a")));
    }
}
